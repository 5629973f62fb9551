"""A runner on the simulated engine, with a dispatch in memory: what the runner's tests stand on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fairway.pipeline.dispatch import Lease, StageReport
from fairway.pipeline.dispatch import Runner as Identity
from fairway.pipeline.graph import Reports, StageGraph, StepGraph
from fairway.pipeline.memory_dispatch import KeptStage, MemoryDispatch
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.runner import Findings, Runner, RunnerSettings, Tools
from fairway.testing.engine import SimulatedEngine
from fairway.testing.workspaces import MemoryWorkspaces


class NoReports:
    """Finds what it was told to find."""

    def __init__(self, found: Findings | None = None) -> None:
        self.found = found or Findings()

    async def read(self, folder: Path, wanted: Reports) -> Findings:  # noqa: ARG002 a stub
        """What it was told."""
        return self.found


class PluginStub:
    """A plugin that does what it is told."""

    def __init__(self, act: Callable[[Job], Any]) -> None:
        self.jobs: list[Job] = []
        self._act = act

    async def run(self, job: Job) -> PluginEnd:
        """Note the job and do what it was told."""
        self.jobs.append(job)
        await job.log(b"plugin at work\n")
        end = self._act(job)
        done: PluginEnd = (await end) if asyncio.iscoroutine(end) else end
        return done


def steps(*scripts: str | dict[str, Any]) -> tuple[StepGraph, ...]:
    """Steps in a row, each hanging on the one before; a dict gives fields."""
    made: list[StepGraph] = []
    for number, each in enumerate(scripts, 1):
        fields = {"script": each} if isinstance(each, str) else each
        before = (made[-1].name,) if made else ()
        base: dict[str, Any] = {"name": f"s{number}", "number": number, "depends_on": before}
        made.append(StepGraph(**{**base, "image": "busybox:1", **fields}))
    return tuple(made)


def lease(*scripts: str | dict[str, Any], **fields: Any) -> Lease:
    """A lease of a stage with such steps."""
    graph = StageGraph(name="p", type="docker", steps=steps(*scripts))
    base: dict[str, Any] = {
        "stage": 1,
        "build": 1,
        "key": "b1-s1",
        "token": "",
        "graph": graph,
        "steps": [],
        "secrets": {},
        "environment": {},
    }
    return Lease(**{**base, **fields})


class Bench:
    """A runner with all that it needs."""

    def __init__(self, **fields: Any) -> None:
        self.events: list[tuple[float, str, object]] = []
        self.dispatch = MemoryDispatch(self._note)
        self.engine = fields.pop("engine", None) or SimulatedEngine()
        self.workspaces = MemoryWorkspaces()
        self.plugins: dict[str, Any] = fields.pop("plugins", {})
        self.reports = fields.pop("reports", NoReports())
        self.patience = fields.pop("patience_s", 60.0)

    def _note(self, _stage: int, kind: str, what: object) -> None:
        self.events.append((asyncio.get_running_loop().time(), kind, what))

    def runner(self, dispatch: Any = None) -> Runner:
        """A new start of the runner."""
        settings = RunnerSettings(
            identity=Identity(name="r", capacity=3), owner="simulated", patience_s=self.patience
        )
        tools = Tools(
            engines={"docker": self.engine},
            plugins=self.plugins,
            workspaces=self.workspaces,
            reports=self.reports,
            settings=settings,
            spread=random.Random(1),  # noqa: S311 jitter
        )
        return Runner(dispatch or self.dispatch, tools)

    @asynccontextmanager
    async def running(self, dispatch: Any = None) -> AsyncIterator[Runner]:
        """A runner that is cut off when the block ends."""
        runner = self.runner(dispatch)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(runner.run())
            yield runner
            task.cancel()

    async def run(self, what: Lease) -> KeptStage:
        """Run one stage to its end, and wait until it is cleaned up."""
        self.dispatch.add(what)
        async with self.running() as runner:
            await self.dispatch.ended()
            while runner.active:  # noqa: ASYNC110 virtual time
                await asyncio.sleep(0.1)
        if self.engine.left():
            raise AssertionError(f"left behind: {self.engine.left()}")
        return self.dispatch.stages[what.stage]

    def log(self, step: int, attempt: int = 1) -> bytes:
        """The kept log of an attempt."""
        return bytes(self.dispatch.log(1, step, attempt).data)


def ends(kept: KeptStage) -> dict[str, str]:
    """How each step ended, by name."""
    names = {step.number: step.name for step in kept.lease.graph.steps}
    return {names[number]: report.status.value for number, report in sorted(kept.steps.items())}


def word(kept: KeptStage) -> StageReport:
    """The stage's last word."""
    if kept.report is None:
        raise AssertionError("the stage has not ended")
    return kept.report
