"""Suites beside each other: most wait for something much of their time.

Each runs in a process of its own. What it prints is shown whole when it has ended; meanwhile a
line every minute tells how far each is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairwaydev.say import ROOT, detail, say

_TOLD_S = 60.0
_GRACE_S = 150.0  # to end what it started; .ci/run allows three minutes
_NICE = 5  # of those that fill: a third of the others' share of a processor that all want
_PERCENT = re.compile(rb"\[ *(\d+)%\]")


@dataclass
class Lane:
    """A suite that runs."""

    name: str
    process: subprocess.Popen[bytes]
    report: Path
    log: Path
    began: float = field(default_factory=time.monotonic)

    def told(self) -> str:
        """How far it is."""
        seen = _PERCENT.findall(self.log.read_bytes())
        share = f"{int(seen[-1])} %, " if seen else ""
        return f"{self.name} ({share}{(time.monotonic() - self.began) / 60:.0f} min)"

    def show(self) -> None:
        """Print what it has printed."""
        with self.log.open("rb") as text:
            shutil.copyfileobj(text, sys.stdout.buffer)
        sys.stdout.flush()


@dataclass(frozen=True)
class Plan:
    """What runs: the suites in the order in which they are begun, and how many at once.

    `prepare` has what a suite shares with others and returns its environment; what is not
    `ready` is begun last. `ended` takes what a suite came to: None when it left no word.
    Those named in `fill` are begun first and not counted: they have what the others leave idle.
    """

    names: Sequence[str]
    count: int
    command: Callable[[str, Path], Sequence[str | Path]]
    prepare: Callable[[str], Mapping[str, str]]
    ready: Callable[[str], bool]
    ended: Callable[[str, dict[str, Any] | None], None]
    fill: Sequence[str] = ()


def run(plan: Plan) -> None:
    """Run all of them. Whatever ends this ends them, each in good order."""
    waiting = [name for name in plan.names if name not in plan.fill]
    lanes, told = list[Lane](), time.monotonic()
    with _folder() as folder:
        try:
            lanes += [_begin(plan, name, folder) for name in plan.fill if name in plan.names]
            while waiting or lanes:
                if waiting and sum(one.name not in plan.fill for one in lanes) < plan.count:
                    name = next(filter(plan.ready, waiting), waiting[0])
                    waiting.remove(name)
                    lanes.append(_begin(plan, name, folder))
                for lane in [one for one in lanes if one.process.poll() is not None]:
                    lanes.remove(lane)
                    lane.show()
                    plan.ended(lane.name, _word(lane.report))
                if time.monotonic() - told > _TOLD_S:
                    told = time.monotonic()
                    _tell(lanes, waiting)
                time.sleep(0.1)
        finally:
            _end(lanes)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fairway-suites-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(plan: Plan, name: str, folder: Path) -> Lane:
    env = plan.prepare(name)
    report, log = folder / f"{name}.json", folder / f"{name}.log"
    say(f"{name} has begun")
    polite = ("nice", "-n", str(_NICE)) if name in plan.fill else ()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*polite, *(str(word) for word in plan.command(name, report))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # a terminal's Ctrl-C is for us: we end it, once
        )
    return Lane(name, process, report, log)


def _word(report: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(report.read_bytes())
        return found
    return None


def _tell(lanes: Sequence[Lane], waiting: Sequence[str]) -> None:
    left = f"; then {', '.join(waiting)}" if waiting else ""
    detail(", ".join(lane.told() for lane in lanes) + left)


def _end(lanes: Sequence[Lane]) -> None:
    """End them at the same time: each has a while for what it has started."""
    for lane in lanes:
        lane.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    for lane in lanes:
        try:
            lane.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            lane.process.kill()
            lane.process.wait()
        lane.show()
