"""`fairway logs BUILD [STEP]`: print, follow or search."""

from __future__ import annotations

import codecs

import click
import msgspec

from fairway.cli import output
from fairway.cli.session import (
    Session,
    build_of,
    build_path,
    connected,
    deadline,
    repo_option,
    timeout_option,
)
from fairway.cli.text import log_line
from fairway.client.wire.build import Build, LogChunk, LogHit, Stage, Step
from fairway.client.wire.common import Page
from fairway.model.errors import NotFound


@click.command("logs")
@click.argument("build", default="last")
@click.argument("step", required=False, default="")
@click.option("-f", "--follow", is_flag=True, help="Go on until the build has ended.")
@click.option("--search", default="", metavar="TEXT", help="Only the lines that hold TEXT.")
@click.option("--exact", is_flag=True, help="Search with upper and lower case as given.")
@click.option("--stage", default="", help="Only this pipeline's steps.")
@click.option("--failed", is_flag=True, help="Only steps that failed.")
@click.option("--tail", type=click.IntRange(1), default=None, help="Only each step's last lines.")
@click.option("--attempt", type=click.IntRange(1), default=None, help="Not the last attempt.")
@repo_option
@timeout_option
@connected
def logs(  # noqa: PLR0913 one command's options
    session: Session,
    build: str,
    step: str,
    *,
    follow: bool,
    search: str,
    exact: bool,
    stage: str,
    failed: bool,
    tail: int | None,
    attempt: int | None,
    repo: str,
    timeout: float | None,
) -> None:
    """Print the logs of a BUILD (default: the last), or of one STEP by name or number.

    With more than one step each line begins with its step's name.
    """
    slug, number = build_of(session, build, repo)
    path = build_path(slug, number)
    with deadline(timeout, f"logs of {slug}#{number}"):
        if search:
            _search(session, path, {"text": search, "exact": exact, "stage": stage, "step": step})
        elif follow:
            _follow(session, path, stage=stage, step=step)
        else:
            found = session.api.get(path, Build)
            wanted = _wanted(found, stage=stage, step=step, failed=failed)
            for one_stage, one in wanted:
                _print_step(session, path, (one_stage, one), many=len(wanted) > 1,
                            tail=tail, attempt=attempt)  # fmt: skip


def _wanted(build: Build, *, stage: str, step: str, failed: bool) -> list[tuple[Stage, Step]]:
    found = [
        (one_stage, one)
        for one_stage in build.stages
        for one in one_stage.steps
        if stage in {"", one_stage.name, str(one_stage.number)}
        and step in {"", one.name, str(one.number)}
        and (not failed or one.status in {"failed", "errored"})
    ]
    if step and not found:
        names = sorted({one.name for one_stage in build.stages for one in one_stage.steps})
        raise NotFound(
            f"{build.repository}#{build.number} has no step {step!r}",
            code="step-not-found",
            remedy="one of: " + ", ".join(names),
        )
    return found


class Printer:
    """Whole lines to stdout, each with its step's name where there are several."""

    def __init__(self, *, many: bool) -> None:
        self.many = many
        self._rest: dict[str, str] = {}
        self._terminal = output.is_terminal()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, name: str, text: str) -> None:
        """Take the next piece of a step's log."""
        if not self.many and not self._terminal:
            click.echo(text.encode(), nl=False)  # bytes: click would take the colours out
            return
        *lines, rest = (self._rest.get(name, "") + text).split("\n")
        self._rest[name] = rest
        for line in lines:
            self._line(name, line)

    def raw(self, name: str, data: bytes) -> None:
        """Take the next bytes of a step's log, which may end within a letter."""
        if not self.many and not self._terminal:
            click.echo(data, nl=False)
        else:
            self.feed(name, self._decoder.decode(data))

    def end(self) -> None:
        """Print what has no line end."""
        for name, rest in self._rest.items():
            if rest:
                self._line(name, rest)
        self._rest.clear()

    def _line(self, name: str, line: str) -> None:
        shown = log_line(line.rstrip("\r"), colours=True) if self._terminal else line
        prefix = f"[{name}] " if self.many else ""
        if self._terminal:
            prefix = click.style(prefix, fg="bright_black")
        click.echo((prefix + shown).encode())


def _print_step(
    session: Session,
    path: str,
    place: tuple[Stage, Step],
    *,
    many: bool,
    tail: int | None,
    attempt: int | None,
) -> None:
    stage, step = place
    if step.log_removed:
        output.say(f"[{step.name}] the log was removed by retention")
        return
    printer = Printer(many=many)
    log = f"{path}/logs/{stage.number}/{step.number}/raw"
    start = _tail_start(session, path, place, tail) if tail else 0
    while True:
        params = {"start": start, "attempt": attempt}
        answer = session.api.send("GET", log, params=params, headers={"Accept": "text/plain"})
        if not answer.content:
            break
        start += len(answer.content)
        printer.raw(step.name, answer.content)
    printer.end()


def _tail_start(session: Session, path: str, place: tuple[Stage, Step], tail: int) -> int:
    from fairway.client.wire.build import LogLines

    stage, step = place
    first = max(step.log_lines - tail, 0) + 1
    params = {"first": first, "lines": 1}
    found = session.api.get(f"{path}/logs/{stage.number}/{step.number}", LogLines, params)
    return found.offset


def _follow(session: Session, path: str, *, stage: str, step: str) -> None:
    printer = Printer(many=not step)
    status = ""
    for message in session.api.stream(f"{path}/stream", {"stage": stage, "step": step}):
        if message.event == "log":
            chunk = msgspec.json.decode(message.data, type=LogChunk)
            printer.feed(chunk.name, chunk.text)
        elif message.event == "build":
            status = msgspec.json.decode(message.data, type=Build).status
    printer.end()
    output.say(f"the build has {status}" if status == "passed" else f"the build is {status}")


def _search(session: Session, path: str, params: dict[str, str | bool]) -> None:
    found = session.api.get(f"{path}/search", Page[LogHit], params)
    for hit in found.items:
        output.emit(f"{hit.name}:{hit.line}:{log_line(hit.text, colours=False)}")
    if not found.items:
        output.say("no line holds that")
        raise click.exceptions.Exit(1)
