"""What the pages tell people to type is there: commands, options, settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from fairway.cli.main import cli
from fairway.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
FOREIGN = {"kubectl"}  # whose own words follow
COMMAND = re.compile(r"`(fairway [^`]+)`")
VARIABLE = re.compile(r"\bFAIRWAY_([A-Z]+)__([A-Z_]+)")


def lines(pages: list[Path]) -> Iterator[tuple[str, str]]:
    for page in pages:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            yield f"{page.relative_to(ROOT)}:{number}", line


def typed(line: str) -> Iterator[list[str]]:
    """The words of each command of ours in a line."""
    found = COMMAND.findall(line)
    if re.match(r"( {4})?fairway ", line):
        found.append(line.strip())
    for one in found:
        text = re.split(r" #|\||&&|;|>|…", one)[0]
        try:
            words = shlex.split(text)[1:]
        except ValueError:  # it is cut in the middle of a quotation
            words = text.split()[1:]
        if words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
            yield words


def problem(words: list[str]) -> str:
    """What is wrong with a command, or ""."""
    command: click.Command = cli
    context = click.Context(cli, info_name="fairway")
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        try:
            _, found, left = command.resolve_command(context, list(rest))
        except click.UsageError as error:
            return error.message
        if found is None or found.name in FOREIGN:
            return ""
        command, rest = found, left
        context = click.Context(command, info_name=command.name, parent=context)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    known |= {"--help", "-h"}
    wrong = [one for one in rest if one.startswith("--") and one.partition("=")[0] not in known]
    return f"no option {wrong[0]}" if wrong and not isinstance(command, click.Group) else ""


def test_every_command_on_a_page_is_one_of_ours() -> None:
    pages = [one for one in PAGES if one.name != "cli.md"]  # made from the commands
    told = [(where, words) for where, line in lines(pages) for words in typed(line)]
    assert len(told) > 150, "the pages are read wrongly"
    wrong = {where: (words, text) for where, words in told if (text := problem(words))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("    fairway get builds -w", ""),
        ("say `fairway token mak`", "No such command 'mak'."),
        ("fairway tokn", "There is no command 'tokn'"),
        ("fairway up --nowhere # why", "no option --nowhere"),
        ("fairway scan a/b:1 --sbom > bill.json", ""),
        ("fairway kubectl get pods --watch-only", ""),
    ],
)
def test_a_command_that_is_none_is_found(line: str, text: str) -> None:
    (words,) = typed(line)
    assert problem(words).startswith(text)
    assert bool(problem(words)) == bool(text)


def test_every_variable_on_a_page_is_a_setting() -> None:
    sections = {
        one.name: {each.name for each in msgspec.structs.fields(one.type)}
        for one in msgspec.structs.fields(Settings)
        if isinstance(one.type, type) and issubclass(one.type, msgspec.Struct)
    }
    told = [(where, found) for where, line in lines(PAGES) for found in VARIABLE.findall(line)]
    assert told
    wrong = [one for one in told if one[1][1].lower() not in sections.get(one[1][0].lower(), ())]
    assert wrong == []
