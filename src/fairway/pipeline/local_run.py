"""`fairway exec`: run compiled pipelines in the current folder, without a server.

The same runner, engine and rules as in the system; the working tree is the folder itself, so there
is nothing to clone. Whatever ends the run, containers, networks and volumes are removed.
"""

from __future__ import annotations

import asyncio
import secrets as random_names
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fairway.kit import clock
from fairway.kit.aio import background, blocking, shielded
from fairway.model.errors import FairwayError
from fairway.model.status import Status
from fairway.pipeline.dispatch import Lease, StepReport
from fairway.pipeline.dispatch import Runner as Identity
from fairway.pipeline.engine import Engine
from fairway.pipeline.graph import StageGraph, StepGraph
from fairway.pipeline.memory_dispatch import MemoryDispatch
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.runner import Runner, RunnerSettings, Tools
from fairway.pipeline.runner.images import remember
from fairway.pipeline.runner.report_files import FileReports
from fairway.pipeline.runner.tools import Remains

Out = Callable[[str], None]
_ORDER: Final = (Status.CANCELLED, Status.ERRORED, Status.FAILED)


class Local(Struct, frozen=True, kw_only=True):
    """What a local run works with. `engines` are made for `owner`, and by graph type."""

    engines: Mapping[str, Engine]
    plugins: Mapping[str, Plugin]
    owner: str
    hosts: tuple[str, ...] = ()
    trusted: bool = False
    remains: tuple[Remains, ...] = ()


class Course(Struct, frozen=True, kw_only=True):
    """When a pipeline runs: after which others, and after what came of them."""

    depends_on: tuple[str, ...] = ()
    on_success: bool = True
    on_failure: bool = False


def new_owner() -> str:
    """An owner's name that no other run has: all that carries it may be removed afterwards."""
    return f"exec-{random_names.token_hex(6)}"


class FolderItself:
    """`Workspaces` where every stage works in one folder that is not ours to remove."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, key: str) -> Path:  # noqa: ARG002 the same for all
        """The folder."""
        return self._folder

    async def whole(self, key: str) -> bool:  # noqa: ARG002
        """It is there."""
        return True

    async def rebuilding(self, key: str, *, by: str) -> frozenset[int]:  # noqa: ARG002
        """Nothing is ever made anew."""
        return frozenset()

    async def remade(self, key: str, step: int) -> None:
        """Nothing is ever made anew."""

    async def rebuilt(self, key: str) -> None:
        """Nothing is ever made anew."""

    async def prune(self, keep: Sequence[str], *, older_s: float, most_bytes: int = 0) -> None:
        """Nothing is ever removed."""


async def run_local(
    graphs: Sequence[StageGraph],
    folder: Path,
    secrets: Mapping[str, str],
    out: Out,
    *,
    local: Local,
    courses: Mapping[str, Course] | None = None,
) -> Status:
    """Run pipelines in file order, each after those it depends on, and say how they ended.

    After a failure before it a pipeline runs only where its trigger asks for that. `out` gets
    lines: logs behind `[step:line]`, and words about what begins and ends. Raises `Unavailable`
    when there is no engine.
    """
    for kind in {graph.type for graph in graphs}:
        out(f"engine: {await _engine(local, kind).check()}")
    ends: dict[str, Status] = {}
    broken: set[str] = set()  # what went wrong, and what follows from it
    built: dict[str, str] = {}
    try:
        for graph in graphs:
            course = (courses or {}).get(graph.name, Course())
            failing = not broken.isdisjoint(course.depends_on)
            if course.on_failure if failing else course.on_success:
                run = _one(graph, folder, secrets, out, local=local, built=built)
                ends[graph.name] = await run
            else:
                ends[graph.name] = Status.SKIPPED
            if failing or ends[graph.name].bad:
                broken.add(graph.name)
            out(f"pipeline {graph.name}: {ends[graph.name].value}")
    finally:
        await shielded(_remove(local, out))
    return next((status for status in _ORDER if status in ends.values()), Status.PASSED)


def _engine(local: Local, kind: str) -> Engine:
    if kind not in local.engines:
        raise FairwayError(f"there is no engine here for pipelines of type {kind}")
    return local.engines[kind]


async def _remove(local: Local, out: Out) -> None:
    for things in (*local.engines.values(), *local.remains):
        try:
            async with asyncio.timeout(60.0):
                await things.sweep([])
        except (FairwayError, TimeoutError) as error:
            out(f"what the run made could not be removed: {error}")


async def _one(
    graph: StageGraph,
    folder: Path,
    secrets: Mapping[str, str],
    out: Out,
    *,
    local: Local,
    built: dict[str, str],
) -> Status:
    here = in_folder(graph)
    printer = Printer(here, out)
    dispatch = MemoryDispatch(printer.watch)
    dispatch.add(_lease(here, secrets, local, built))
    tools = _tools(graph, local, await blocking(folder.resolve))
    async with background(Runner(dispatch, tools).run()):
        await dispatch.ended()
    kept = dispatch.stages[1]
    for step in kept.steps.values():
        remember(built, tuple(step.images))
    report = kept.report
    if report is not None and report.error:
        out(report.error)
    return report.status if report is not None else Status.ERRORED


def _lease(
    graph: StageGraph, secrets: Mapping[str, str], local: Local, built: dict[str, str]
) -> Lease:
    return Lease(
        stage=1,
        build=1,
        key=f"{local.owner}-{graph.name}",
        token="",
        graph=graph,
        steps=[],
        secrets={name.lower(): value for name, value in secrets.items()},
        environment={},
        built=dict(built),
        deadline=clock.now() + int(graph.timeout_s * 1000),
        limit_s=int(graph.timeout_s),
        trusted=local.trusted,
    )


def _tools(graph: StageGraph, local: Local, folder: Path) -> Tools:
    return Tools(
        engines=local.engines,
        plugins=local.plugins,
        workspaces=FolderItself(folder),
        reports=FileReports(),
        remains=local.remains,
        settings=RunnerSettings(
            identity=Identity(name="exec", type=graph.type, capacity=1),
            owner=local.owner,
            hosts=local.hosts,
        ),
    )


def in_folder(graph: StageGraph) -> StageGraph:
    """The graph with the repository's folder itself as the workspace, and nothing to clone."""
    volumes = {volume.name for volume in graph.volumes if volume.kind == "workspace"}

    def moved(step: StepGraph) -> StepGraph:
        mounts = tuple(
            structs.replace(mount, path=graph.workspace_path) if mount.volume in volumes else mount
            for mount in step.mounts
        )
        return structs.replace(step, mounts=mounts)

    return structs.replace(
        graph,
        steps=tuple(moved(step) for step in graph.steps if not step.clone),
        workspace_base=graph.workspace_path,
    )


class Printer:
    """Turns what a dispatch hears into lines."""

    def __init__(self, graph: StageGraph, out: Out) -> None:
        self._names = {step.number: step.name for step in graph.steps}
        self._out = out
        self._rests: dict[int, bytes] = {}
        self._lines: dict[int, int] = {}

    def watch(self, _stage: int, kind: str, what: object) -> None:
        """Take one thing that happened."""
        if kind == "log" and isinstance(what, tuple):
            self._log(*what)
        elif kind == "step" and isinstance(what, StepReport):
            self._step(what)

    def _log(self, step: int, data: bytes) -> None:
        *lines, rest = (self._rests.get(step, b"") + data).split(b"\n")
        self._rests[step] = rest
        for line in lines:
            self._line(step, line)

    def _line(self, step: int, line: bytes) -> None:
        number = self._lines.get(step, 0)
        self._lines[step] = number + 1
        self._out(f"[{self._names[step]}:{number}] {line.decode('utf-8', 'replace')}")

    def _step(self, report: StepReport) -> None:
        rest = self._rests.pop(report.number, b"")
        if rest:
            self._line(report.number, rest)
        name = self._names[report.number]
        if report.status is Status.PASSED:
            return
        if report.status.done:
            code = f" ({report.exit_code})" if report.exit_code else ""
            words = f": {report.error}" if report.error else ""
            self._out(f"step {name}: {report.status.value}{code}{words}")
        elif report.attempt > 1:
            self._out(f"step {name}: {report.error}; attempt {report.attempt} begins")
