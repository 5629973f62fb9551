"""`fairway change-request` (alias `cr`): open, look at, follow, merge and close change requests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import click

from fairway.cli import get as getting
from fairway.cli import live, output
from fairway.cli.kinds_change import CHANGES
from fairway.cli.moments import moments
from fairway.cli.session import (
    Session,
    build_path,
    connected,
    deadline,
    dry_run_option,
    repo_option,
    timeout_option,
)
from fairway.cli.text import clean, short
from fairway.client.wire.change import Change, ChangeClose, ChangeCreate, ChangeMerge
from fairway.kit import clock
from fairway.model.errors import InvalidInput

STATES = click.Choice(["open", "merged", "closed", "all"])
METHODS = click.Choice(["merge", "squash"])
_WAITS = frozenset({"waiting", "pending"})


@click.group("change-request")
def change_request() -> None:
    """Ask for a branch to be merged, and merge it when its checks have passed."""


def _path(slug: str, number: int | None = None) -> str:
    base = f"/repos/{slug}/changes"
    return base if number is None else f"{base}/{number}"


def number_of(word: str) -> int:
    """A change request's number: 7 or #7."""
    text = word.strip().removeprefix("#")
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(
            f"{word!r} is no change request", code="bad-change-request", remedy="write 7 or #7"
        )
    return int(text)


def _branch() -> str:
    """The branch of this folder. Raises a usage error where there is none."""
    command = ["git", "-C", str(Path.cwd()), "symbolic-ref", "--short", "-q", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 fixed words
        name = done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        name = ""
    if not name:
        raise click.UsageError("which branch? This folder is on none: add --source BRANCH.")
    return name


@change_request.command("create")
@click.option("--source", default="", help="The branch; else the one of this folder.")
@click.option("--target", default="", help="Where it goes; else the default branch.")
@click.option("--title", default="", help="Else the last commit's.")
@click.option("--description", default="")
@dry_run_option
@output.format_option
@repo_option
@connected
def create(
    session: Session, *, repo: str, output: str, dry_run: bool, source: str, **options: Any
) -> None:
    """Open a change request from a branch that was pushed."""
    slug = session.repository(repo)
    data = ChangeCreate(source=source or _branch(), **options)
    if dry_run:
        click.echo(f"would open a change request of {slug} from {data.source}")
        return
    _emit(session.api.post(_path(slug), data, Change), output)


@change_request.command("list")
@click.option("--state", type=STATES, default="open", show_default=True)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@output.format_option
@repo_option
@connected
def list_changes(session: Session, *, state: str, limit: int, output: str, repo: str) -> None:
    """List a repository's change requests, newest first."""
    slug = session.repository(repo)
    found = list(session.api.pages(_path(slug), Change, {"status": state}, limit=limit))
    getting.print_list(CHANGES, found[:limit], output)


@change_request.command("show")
@click.argument("number")
@output.format_option
@repo_option
@connected
def show(session: Session, number: str, *, output: str, repo: str) -> None:
    """Show one with its checks."""
    slug = session.repository(repo)
    _emit(session.api.get(_path(slug, number_of(number)), Change), output)


@change_request.command("watch")
@click.argument("number")
@output.format_option
@repo_option
@timeout_option
@connected
def watch(session: Session, number: str, *, output: str, repo: str, timeout: float | None) -> None:
    """Follow one live until its checks have ended, and its merge where that was asked for.

    Exit code 1 when it cannot be merged: a red check, a conflict, or it was closed.
    """
    slug = session.repository(repo)
    path = _path(slug, number_of(number))
    with deadline(timeout, f"{slug} {number} is not decided"):
        ended = _follow(session, slug, path)
    _emit(ended, output)
    if not _good(ended):
        raise click.exceptions.Exit(1)


def _follow(session: Session, slug: str, path: str) -> Change:
    """Until nothing is to be waited for."""
    told, seen = "", 0
    for _ in moments(session, CHANGES.events, slug):
        found = session.api.get(path, Change)
        now = _sentence(found)
        if now != told:
            told = now
            output.say(f"{clock.text(clock.now())} {clean(now)}")
        if found.build and found.build != seen and found.check in _WAITS:
            seen = found.build
            live.follow(session, build_path(slug, found.build))
            found = session.api.get(path, Change)
        if _decided(found):
            break
    return session.api.get(path, Change)


def _decided(one: Change) -> bool:
    """Whether waiting brings nothing more."""
    if one.state != "open" or one.conflicts:
        return True
    if one.check in _WAITS:
        return False
    return not one.when_green or bool(one.reason)


def _good(one: Change) -> bool:
    if one.state == "open":
        return not one.conflicts and not one.reason and one.check in {"passed", "none"}
    return one.state == "merged"


def _sentence(one: Change) -> str:
    if one.state == "merged":
        return f"#{one.number} merged as {short(one.merged)} by {one.merged_by}"
    if one.state == "closed":
        return f"#{one.number} closed: {one.reason}"
    if one.conflicts:
        return f"#{one.number} conflicts with {one.target}: {', '.join(one.conflicts)}"
    build = f" (build #{one.build})" if one.build else ""
    queued = f", {one.when_green} when green" if one.when_green else ""
    why = f": {one.reason}" if one.reason else ""
    return f"#{one.number} {one.check}{build}{queued}{why}"


@change_request.command("merge")
@click.argument("number")
@click.option("--method", type=METHODS, default="merge", show_default=True)
@click.option("--squash", is_flag=True, help="The same as --method squash.")
@click.option("--when-green", is_flag=True, help="As soon as its checks have passed.")
@dry_run_option
@output.format_option
@repo_option
@connected
def merge(
    session: Session,
    number: str,
    *,
    method: str,
    squash: bool,
    when_green: bool,
    dry_run: bool,
    output: str,
    repo: str,
) -> None:
    """Merge one whose checks have passed on what its target becomes."""
    slug, place = session.repository(repo), number_of(number)
    if dry_run:
        click.echo(f"would merge change request #{place} of {slug}")
        return
    data = ChangeMerge(method="squash" if squash or method == "squash" else "merge",
                       when_green=when_green)  # fmt: skip
    _emit(session.api.post(_path(slug, place) + "/merge", data, Change), output)


@change_request.command("close")
@click.argument("number")
@click.option("--reason", default="", help="Why, for those who look at it later.")
@dry_run_option
@output.format_option
@repo_option
@connected
def close(
    session: Session, number: str, *, reason: str, dry_run: bool, output: str, repo: str
) -> None:
    """Close one without merging it."""
    slug, place = session.repository(repo), number_of(number)
    if dry_run:
        click.echo(f"would close change request #{place} of {slug}")
        return
    data = ChangeClose(reason=reason)
    _emit(session.api.post(_path(slug, place) + "/close", data, Change), output)


@change_request.command("reopen")
@click.argument("number")
@dry_run_option
@output.format_option
@repo_option
@connected
def reopen(session: Session, number: str, *, dry_run: bool, output: str, repo: str) -> None:
    """Open a closed one again, on its branches as they are now."""
    slug, place = session.repository(repo), number_of(number)
    if dry_run:
        click.echo(f"would open change request #{place} of {slug} again")
        return
    _emit(session.api.post(_path(slug, place) + "/reopen", None, Change), output)


def _emit(one: Change, form: str) -> None:
    output.emit_one("change-request", one, form, name=str(one.number), human=text_of(one))


def text_of(one: Change) -> str:
    """A change request in words, with its checks."""
    rows = [
        ("Change", f"{one.repository}#{one.number}  {clean(one.title)}"),
        ("State", _sentence(one).partition(" ")[2] if one.state != "open" else one.state),
        ("From", f"{clean(one.source)} {short(one.head)} -> {clean(one.target)} {short(one.base)}"),
        ("Author", one.author),
        ("Check", f"{one.check}{' (on an older target)' if one.stale else ''}"),
        ("Build", f"#{one.build}" if one.build else ""),
        ("Conflict", ", ".join(clean(path) for path in one.conflicts)),
        ("Queued", f"{one.when_green} when green, by {one.green_by}" if one.when_green else ""),
        ("Reason", clean(one.reason) if one.state == "open" else ""),
        ("Link", one.link),
    ]
    lines = [f"{title + ':':<10}{value}" for title, value in rows if value]
    if one.checks:
        table = [[each.name, each.status, "required" if each.required else ""] for each in
                 one.checks]  # fmt: skip
        lines += ["", output.table(["CHECK", "STATUS", ""], table)]
    if one.description:
        lines += ["", clean(one.description)]
    return "\n".join(lines)
