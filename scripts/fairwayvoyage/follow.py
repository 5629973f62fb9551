"""Follows a build in the terminal: a line for each step that ends, and what runs at the bottom."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
from rich.markup import escape

from fairway.client.wire.build import Build, LogChunk, Reports, Step
from fairwayvoyage.ground import Ground

# what the steps of the examples are, by name: the numbers of the story
PARTS = {
    "assets": ("1", "code assets built, their tests run"),
    "unit": ("1", "unit tests with coverage; a minimum gates"),
    "test-image": ("2", "the image's stage `test` built and pushed"),
    "unit-in-image": ("2", "the unit tests once more, inside that image"),
    "image": ("2", "the image built, pushed, known by its digest"),
    "environment": ("3", "a test environment, alive until the tests have ended"),
    "database": ("3", "a live database for the tests"),
    "catalogue": ("3", "a live container"),
    "ratings": ("3", "a live container"),
    "storefront": ("3", "a live container"),
    "api": ("4", "the API tested"),
    "contract": ("4", "the contract between ratings and catalogue held"),
    "site": ("4", "the whole site tested, end to end"),
    "load": ("5", "Locust; its thresholds gate"),
}


def follow(ground: Ground, slug: str, number: int) -> Build:
    """Show a build until it has ended."""
    path = f"/repos/{slug}/builds/{number}"
    view = _View(ground, path)
    build: Build | None = None
    with ground.screen.waiting(f"{slug}#{number}"):
        for message in ground.api.stream(f"{path}/stream", {"logs": True}):
            if message.event == "build":
                build = msgspec.json.decode(message.data, type=Build)
                view.build(build)
            elif message.event == "log":
                view.log(msgspec.json.decode(message.data, type=LogChunk))
    build = ground.api.get(path, Build)
    view.build(build)
    return build


class _View:
    """What of a build has been told."""

    def __init__(self, ground: Ground, path: str) -> None:
        self._ground = ground
        self._path = path
        self._told: set[tuple[int, int]] = set()

    def log(self, chunk: LogChunk) -> None:
        """The last line of what runs."""
        lines = [line for line in chunk.text.splitlines() if line.strip()]
        if lines:
            self._ground.screen.now(f"{chunk.name} | {lines[-1]}")

    def build(self, build: Build) -> None:
        """Tell what has ended since."""
        for stage in build.stages:
            for step in stage.steps:
                key = (stage.number, step.number)
                ended = step.stopped and step.status not in ("running", "pending", "waiting")
                if key in self._told or not (ended or step.status == "skipped"):
                    continue
                if step.status == "skipped" and not build.finished:
                    continue  # all of them together, at the end
                self._told.add(key)
                self._tell(step)

    def _tell(self, step: Step) -> None:
        screen = self._ground.screen
        if step.name == "clone":
            return
        part, about = PARTS.get(step.name, ("", ""))
        head = f"[cyan]{part or ' '}[/] {step.name:<14}"
        if step.status == "skipped":
            screen.say(f"  {screen.mark('skipped')} {head}[bright_black] skipped[/]")
            return
        mark = screen.mark("passed" if step.service else step.status)
        took = f"{seconds(step.started, step.stopped):5.1f} s"
        why = f"as in build #{step.carried}" if step.carried else self._words(step)
        line = f"  {mark} {head}{took:>8}  {escape(about)}"
        screen.say(f"{line} [bright_black]{escape(why)}[/]" if why else line)

    def _words(self, step: Step) -> str:
        found = self._ground.api.get(f"{self._path}/reports", Reports)
        for one in found.steps:
            if one.step == step.name:
                failed = [case.name for case in found.failures] if one.failed else []
                return f"({', '.join([_report(one), *failed])})"
        if step.status in ("failed", "errored"):
            return f"({step.error or f'exit {step.exit_code}'})"
        if step.images:
            return f"({step.images[0]['digest'][:19]})"
        return ""


def _report(one: Any) -> str:
    parts = [f"{one.passed} passed"]
    if one.failed + one.errored:
        parts.append(f"{one.failed + one.errored} failed")
    if one.coverage is not None:
        parts.append(f"coverage {one.coverage:.0f} %")
    return ", ".join(parts)


def seconds(first: str | None, last: str | None) -> float:
    """Between two times of the API."""
    if not first or not last:
        return 0.0
    read = datetime.datetime.fromisoformat
    return (read(last) - read(first)).total_seconds()
