"""A build live: a view that is drawn anew on a terminal, a line per change everywhere else."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, Final

import msgspec

from fairway.cli import output
from fairway.cli.session import Session
from fairway.cli.text import clean, log_line, short, took
from fairway.client.wire.build import Build, LogChunk, Stage, Step
from fairway.kit import clock

NEGATIVE: Final = frozenset({"failed", "errored", "cancelled", "declined"})
_TAIL: Final = 6
_MARKS: Final = {
    "passed": ("+", "green"),
    "failed": ("x", "red"),
    "errored": ("!", "red"),
    "cancelled": ("-", "magenta"),
    "declined": ("-", "magenta"),
    "running": (">", "cyan"),
    "pending": (".", "yellow"),
    "waiting": (".", "yellow"),
    "blocked": ("?", "yellow"),
    "skipped": ("-", "bright_black"),
}


def follow(session: Session, path: str, *, quiet: bool = False) -> Build:
    """Show a build until it has ended. Progress goes to stderr. Returns the build at its end."""
    view: Lines | Screen = Lines(quiet=quiet)
    if not quiet and sys.stderr.isatty():
        view = Screen()
    build: Build | None = None
    with view:
        for message in session.api.stream(f"{path}/stream", {"logs": isinstance(view, Screen)}):
            if message.event == "build":
                build = msgspec.json.decode(message.data, type=Build)
                view.build(build)
            elif message.event == "log":
                view.log(msgspec.json.decode(message.data, type=LogChunk))
    return build or session.api.get(path, Build)


class Lines:
    """One timestamped line for each change of state."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._known: dict[str, str] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def log(self, chunk: LogChunk) -> None:
        """Logs are not asked for."""

    def build(self, build: Build) -> None:
        """Say what differs from what was said before."""
        name = f"{build.repository}#{build.number}"
        self._say(name, build.status, build.reason or build.error)
        for stage in build.stages:
            self._say(f"{name} {stage.name}", stage.status, stage.reason or stage.error)
            for step in stage.steps:
                why = step.error or (f"exit {step.exit_code}" if step.exit_code else step.reason)
                self._say(f"{name} {stage.name}/{step.name}", step.status, why)

    def _say(self, what: str, status: str, why: str) -> None:
        told = f"{status} {why}".strip()
        if self._known.get(what) == told or self._quiet:
            return
        self._known[what] = told
        tail = f": {clean(why)}" if why else ""
        output.say(f"{clock.text(clock.now())} {clean(what)} {status}{tail}")


class Screen:
    """The whole build on the terminal, drawn anew while it runs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        self._build: Build | None = None
        self._tails: dict[tuple[int, int], deque[str]] = {}
        self._live = Live(
            console=self._console,
            refresh_per_second=5,
            get_renderable=self._render,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def build(self, build: Build) -> None:
        """The build as it is now."""
        self._build = build
        self._live.refresh()

    def log(self, chunk: LogChunk) -> None:
        """Keep the last lines of each step."""
        tail = self._tails.setdefault((chunk.stage, chunk.step), deque([""], maxlen=_TAIL + 1))
        first, *others = chunk.text.split("\n")
        tail[-1] += first
        tail.extend(others)

    def _render(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        if self._build is None:
            return Text("connecting")
        lines = [Text.from_ansi(line) for line in view_lines(self._build)]
        for stage in self._build.stages:
            for step in stage.steps:
                if step.status == "running":
                    lines += self._tail(stage, step)
        return Group(*lines)

    def _tail(self, stage: Stage, step: Step) -> list[Any]:
        from rich.text import Text

        kept = [line for line in self._tails.get((stage.number, step.number), ()) if line]
        width = self._console.width
        return [
            Text(f"  {step.name} | {log_line(line, colours=False)}"[:width], style="dim")
            for line in kept[-_TAIL:]
        ]


def view_lines(build: Build) -> list[str]:
    """The view without logs: steps with status and duration, and why things wait."""
    lines = [
        f"{clean(build.repository)}#{build.number}  {output.status(build.status)}"
        f"  {took(build.started, build.finished)}  {short(build.after)} {clean(build.title)[:60]}"
    ]
    if build.reason or build.error:
        lines.append(f"  {clean(build.reason or build.error)}")
    for stage in build.stages:
        lines.append(f"{_mark(stage.status)} {clean(stage.name)}  {_time(stage)}".rstrip())
        if stage.error or stage.reason:
            lines.append(f"    {clean(stage.error or stage.reason)}")
        width = max((len(step.name) for step in stage.steps), default=0)
        lines += [_step_line(step, width) for step in stage.steps]
    return lines


def _step_line(step: Step, width: int) -> str:
    why = step.error or step.reason
    if step.status == "failed" and not why:
        why = f"exit {step.exit_code}"
    if step.carried:
        why = f"as in #{step.carried}"
    name = clean(step.name)
    return f"  {_mark(step.status)} {name:<{width}}  {_time(step):>7}  {clean(why)}".rstrip()


def _time(one: Stage | Step) -> str:
    return "" if one.status == "skipped" else took(one.started, one.stopped)


def _mark(status: str) -> str:
    import click

    sign, colour = _MARKS.get(status, ("?", "white"))
    return click.style(sign, fg=colour)
