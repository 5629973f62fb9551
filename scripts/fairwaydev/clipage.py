"""scripts/gen-cli: writes docs/reference/cli.md from the commands themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fairway.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "cli.md"
HEAD = """\
# The command line

<!-- Written by scripts/gen-cli from the commands themselves: do not edit. -->

Data goes to stdout, progress to stderr. `-o table|wide|json|yaml|name|jsonl` chooses the format;
JSON and YAML carry the name and version of their schema. A build is named `12`, `org/name#12` or
`last`; the repository is `-R`, else the one of the folder's Git remote, else the context's.
Durations are written `90`, `90s`, `5m` or `1h30m`. Without a terminal nothing is asked and nothing
spins: one timestamped line for each change of state. `NO_COLOR` and `CLICOLOR_FORCE` are honoured;
`FAIRWAY_CONTEXT`, `FAIRWAY_URL`, `FAIRWAY_TOKEN` and `FAIRWAY_REPO` stand for their options.

| exit code | meaning |
|---|---|
| 0 | good |
| 1 | a negative result: a red build, a difference, a finding |
| 2 | wrong use, or an error |
| 4 | not signed in, or not allowed |
| 5 | not found |
| 124 | `--timeout` passed |
| 130 | interrupted |
"""


def page() -> str:
    """The whole page."""
    ctx = click.Context(cli, info_name="fairway")
    parts = [HEAD]
    section = ""
    for name, entry in COMMANDS.items():
        if entry.section != section:
            section = entry.section
            parts.append(f"## {section}\n")
        command = cli.get_command(ctx, name)
        assert command is not None
        parts.extend(_command(command, ["fairway", name], ctx))
    return "\n".join(parts).rstrip() + "\n"


def _command(command: Any, words: list[str], parent: Any) -> Iterator[str]:
    with click.Context(command, info_name=words[-1], parent=parent) as ctx:
        pieces = " ".join(command.collect_usage_pieces(ctx))
        yield f"### `{' '.join(words)}`\n"
        yield f"```\n{' '.join(words)} {pieces}\n```\n"
        yield _prose(command.help or "") + "\n"
        rows = [row for param in command.get_params(ctx) if (row := _option(param, ctx))]
        if rows:
            yield "| option | |\n|---|---|\n" + "\n".join(rows) + "\n"
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                inner = command.get_command(ctx, name)
                assert inner is not None
                yield from _command(inner, [*words, name], ctx)


def _prose(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return "\n".join(lines)


def _option(param: Any, ctx: Any) -> str:
    record = param.get_help_record(ctx)
    if record is None or "--help" in param.opts:
        return ""
    names, about = record
    return f"| `{_cell(names)}` | {_cell(about)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """The command: writes the page, or with --check says whether it is current."""
    text = page()
    if "--check" in sys.argv[1:]:
        raise SystemExit(0 if PAGE.read_text() == text else f"{PAGE} is not current")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text)
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
