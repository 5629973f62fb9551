"""`fairway diff A B`: what differs between two builds."""

from __future__ import annotations

from typing import Any

import click
from msgspec import Struct

from fairway.cli import app, output
from fairway.cli.session import Session, build_of, build_path, connected, repo_option
from fairway.cli.text import millis, short, span
from fairway.client.wire.build import Build, Reports, Step


class Line(Struct):
    """One thing that differs."""

    what: str
    before: str
    after: str


@click.command("diff")
@click.argument("first")
@click.argument("second")
@output.format_option
@repo_option
@connected
def diff(session: Session, first: str, second: str, *, output: str, repo: str) -> None:
    """Compare two builds: steps, tests, coverage, durations. Exit code 1 when they differ.

    Durations and times alone are no difference. `diff app NAME` compares an application with its
    cluster.
    """
    if app.is_app((first, second)):
        app.diff(session, second, output)
        return
    one = _whole(session, first, repo)
    two = _whole(session, second, repo)
    lines = differences(one, two)
    _emit([f"{build.repository}#{build.number}" for build, _ in (one, two)], lines, output)
    if any(not line.what.startswith("time of") for line in lines):
        raise click.exceptions.Exit(1)


def _whole(session: Session, text: str, repo: str) -> tuple[Build, Reports]:
    path = build_path(*build_of(session, text, repo))
    return session.api.get(path, Build), session.api.get(f"{path}/reports", Reports)


def _emit(names: list[str], lines: list[Line], form: str) -> None:
    if form in {"table", "wide"}:
        if lines:
            rows = [[line.what, line.before, line.after] for line in lines]
            output.emit(output.table(["WHAT", *names], rows))
        else:
            output.say("no difference")
    elif form == "name":
        for line in lines:
            output.emit(line.what)
    else:
        data: dict[str, Any] = {"builds": names, "differences": [output.plain(x) for x in lines]}
        whole = output.versioned("diff", data)
        texts = {"json": output.json_text, "yaml": output.yaml_text, "jsonl": output.line_text}
        output.emit(texts[form](whole))


def differences(one: tuple[Build, Reports], two: tuple[Build, Reports]) -> list[Line]:
    """What differs, the heads first, then steps, then tests."""
    (build, reports), (other, other_reports) = one, two
    head = [
        Line(name, before, after)
        for name, before, after in (
            ("status", build.status, other.status),
            ("event", build.event, other.event),
            ("branch", build.branch, other.branch),
            ("commit", short(build.after), short(other.after)),
            ("coverage", _percent(reports), _percent(other_reports)),
        )
        if before != after
    ]
    return head + _steps(build, other) + _cases(reports, other_reports)


def _percent(reports: Reports) -> str:
    return "" if reports.coverage is None else f"{reports.coverage:.2f} %"


def _by_name(build: Build) -> dict[str, Step]:
    return {f"{stage.name}/{step.name}": step for stage in build.stages for step in stage.steps}


def _steps(one: Build, two: Build) -> list[Line]:
    before, after = _by_name(one), _by_name(two)
    lines = []
    for name in dict.fromkeys([*before, *after]):
        first, second = before.get(name), after.get(name)
        told = [_told(step) for step in (first, second)]
        if told[0] != told[1]:
            lines.append(Line(f"step {name}", *told))
        elif first and second and _much(_seconds(first), _seconds(second)):
            lines.append(Line(f"time of {name}", span(_seconds(first)), span(_seconds(second))))
    return lines


def _told(step: Step | None) -> str:
    if step is None:
        return "absent"
    return f"{step.status} {step.error or ''}".strip()


def _seconds(step: Step) -> float:
    begin, end = millis(step.started), millis(step.stopped)
    return (end - begin) / 1000 if begin is not None and end is not None else 0.0


def _much(first: float, second: float) -> bool:
    """Whether a difference of durations is worth a line."""
    return abs(first - second) > max(2.0, 0.3 * max(first, second))


def _cases(one: Reports, two: Reports) -> list[Line]:
    before = {f"{case.suite} {case.name}" for case in one.failures}
    after = {f"{case.suite} {case.name}" for case in two.failures}
    lines = [Line(f"test {name}", "", "failed") for name in sorted(after - before)]
    return lines + [Line(f"test {name}", "failed", "") for name in sorted(before - after)]
