"""One leased stage, from its first step to its last word: the shell around `pipeline.progress`.

What a step's good end means is decided as soon as the engine says so; keeping its log's last bytes
and reporting it go on beside the next step's start. A bad end is reported first: whoever takes over
in between must not find steps that were skipped for a failure of which nothing is known. The
stage's own last word waits for all of them, and containers are removed only after it was heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from msgspec import structs

from fairway.kit import clock
from fairway.kit.aio import background, together
from fairway.model.errors import FairwayError, Internal
from fairway.model.status import Status
from fairway.pipeline import progress
from fairway.pipeline.dispatch import Dispatch, Lease, StageReport, StepReport, StepState
from fairway.pipeline.engine import Engine, Place
from fairway.pipeline.graph import StepGraph
from fairway.pipeline.progress import Halt, Seen
from fairway.pipeline.runner import environment, images
from fairway.pipeline.runner.attempt import Result
from fairway.pipeline.runner.link import LeaseLost, Link, backoff
from fairway.pipeline.runner.step import StepRun
from fairway.pipeline.runner.tools import Tools

_log = logging.getLogger(__name__)


class StageRun:
    """Runs one lease. `place` is known after `prepare`, for the removal afterwards."""

    def __init__(self, dispatch: Dispatch, lease: Lease, tools: Tools) -> None:
        self.lease = lease
        self.tools = tools
        self.link = Link(dispatch, lease, tools.spread)
        self._states = {state.number: state for state in lease.steps}
        self._graph = lease.graph
        self._workspace = lease.workspace or lease.key
        self._remade: frozenset[int] = frozenset()  # steps that only make the workspace anew
        self._remade_before: frozenset[int] = frozenset()  # ... and did, before a restart
        self._seen: dict[int, Seen] = {}
        self._runs: dict[int, StepRun] = {}
        self._errors: dict[int, str] = {}
        self._built = dict(lease.built)
        self._halt: Halt | None = None
        self._changed = asyncio.Event()
        self._prepared = asyncio.Event()
        self._unprepared: FairwayError | None = None
        self._began = clock.now()
        self._place: Place | None = None

    @property
    def prepared(self) -> bool:
        """Whether anything may have been made in the engine."""
        return self._place is not None

    @property
    def place(self) -> Place:
        """The stage's place; known once it is prepared."""
        if self._place is None:
            raise Internal("the stage's place was asked for before it was made")
        return self._place

    @property
    def engine(self) -> Engine:
        """The engine for this type of stage."""
        return self.tools.engines[self._graph.type]

    async def run(self) -> None:
        """Run it to its end and say so. Raises `LeaseLost`; cancelled, it touches nothing."""
        async with background(self.link.keep(), self._obey(), self._watch_deadline()):
            try:
                report = await self._carry_out()
            except LeaseLost:
                raise
            except FairwayError as error:
                _log.warning("stage %s ended with an error: %s", self.lease.key, error)
                report = self._errored(str(error))
            except Exception:  # noqa: BLE001 a defect of ours costs this stage, not the runner
                _log.exception("stage %s ended with a defect", self.lease.key)
                report = self._errored("an internal error of the runner: see its log")
            await self.link.finish(report)

    def _errored(self, error: str) -> StageReport:
        return StageReport(
            status=Status.ERRORED, error=error, started=self._began, stopped=clock.now()
        )

    # ---- before ----------------------------------------------------------------------------------

    async def _carry_out(self) -> StageReport:
        await self._choose_graph()
        self._place = self._make_place()
        self._seen = {state.number: _seen(state) for state in self._states.values()}
        known = {step.number for step in self._graph.steps}
        self._seen = {number: seen for number, seen in self._seen.items() if number in known}
        self._seen |= dict.fromkeys(self._remade_before, Seen(Status.PASSED, up=True))
        async with together() as group:
            group.create_task(self._prepare(self._place), name="setup")
            await self._drive(group)
        return self._report()

    async def _choose_graph(self) -> None:
        """A retry goes on in the kept workspace, or makes it anew where that is gone."""
        lease, kept = self.lease, self.tools.workspaces
        if lease.fallback is None or await kept.whole(self._workspace):
            return
        own = {step.number for step in lease.graph.steps}
        self._graph = lease.fallback
        self._remade = frozenset(step.number for step in lease.fallback.steps) - own
        for number in self._remade:
            self._states.pop(number, None)
        done = await kept.rebuilding(self._workspace, by=lease.key)
        self._remade_before = done & self._remade

    def _make_place(self) -> Place:
        lease, settings = self.lease, self.tools.settings
        return Place(
            key=lease.key,
            graph=self._graph,
            workspace=self.tools.workspaces.folder(self._workspace),
            owner=settings.owner,
            auths=images.auths(lease, self._graph),
            hosts=settings.hosts,
        )

    async def _prepare(self, place: Place) -> None:
        """Make what containers share, beside the clone, which needs none of it."""
        try:
            await self._setup(place)
        except FairwayError as error:
            self._unprepared = error
        self._prepared.set()

    async def shared(self) -> None:
        """Return once containers may start. Raises what went wrong."""
        await self._prepared.wait()
        if self._unprepared is not None:
            raise self._unprepared

    async def _setup(self, place: Place) -> None:
        loop, tries = asyncio.get_running_loop(), 0
        until = loop.time() + self.tools.settings.patience_s
        while True:
            try:
                return await self.engine.setup(place)
            except FairwayError as error:
                if not error.retriable or loop.time() > until or self._halt:
                    raise
                _log.warning("setup of stage %s: %s", place.key, error)
            await asyncio.sleep(backoff(tries, self.tools.spread))
            tries += 1

    async def _obey(self) -> None:
        while not self.link.orders.stop:
            await self.link.ordered.wait(3600.0)
        self._end_early(Halt.CANCEL)

    async def _watch_deadline(self) -> None:
        if self.lease.deadline:
            await asyncio.sleep(max(0.0, (self.lease.deadline - clock.now()) / 1000))
            self._end_early(Halt.DEADLINE)

    def _end_early(self, why: Halt) -> None:
        self._halt = self._halt or why
        self._changed.set()

    # ---- steps -----------------------------------------------------------------------------------

    async def _drive(self, group: asyncio.TaskGroup) -> None:
        # What an earlier holder left running goes on, whatever has happened since.
        left = [number for number, seen in self._seen.items() if seen.status is Status.RUNNING]
        steps = {step.number: step for step in self._graph.steps}
        for number in left:
            self._begin(group, steps[number])
        while True:
            self._changed.clear()
            todo = progress.decide(self._graph, self._seen, halt=self._halt)
            if todo.outcome is not None:
                return
            self._skip(group, todo.skip)
            for number in todo.kill:
                self._runs[number].kill()
            for number in todo.start:
                self._begin(group, steps[number])
            if not todo.skip:
                await self._changed.wait()

    def _skip(self, group: asyncio.TaskGroup, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            self._seen[number] = Seen(Status.SKIPPED)
            state = self._states.get(number)
            attempt = state.attempt if state is not None else 1
            report = StepReport(number=number, status=Status.SKIPPED, attempt=attempt)
            group.create_task(self.link.step(report))

    def _begin(self, group: asyncio.TaskGroup, step: StepGraph) -> None:
        state = self._states.get(step.number)
        self._seen[step.number] = Seen(Status.RUNNING)
        run = StepRun(self, images.resolve(step, self._built, self.lease.registry), state)
        self._runs[step.number] = run
        group.create_task(run.run(), name=f"step {step.number}")

    # ---- what step runs ask and tell -------------------------------------------------------------

    def environment(self, step: StepGraph) -> environment.Environment:
        """The step's environment, were it to start now."""
        failed = progress.failing(self._graph, self._seen)
        return environment.at_start(self.lease, step, failed=failed)

    def built(self) -> Mapping[str, str]:
        """Images that the build has pushed so far: name as written -> path@digest."""
        return dict(self._built)

    def halted(self) -> str:
        """Why steps are being killed, in words; "" when only services are, at the end."""
        if self._halt is Halt.DEADLINE:
            return progress.past_limit(self.lease.limit_s)
        if self._halt is Halt.CANCEL:
            return self.link.orders.reason or "cancelled"
        if progress.ended_fast(self._graph, self._seen):
            return f"step {progress.failing(self._graph, self._seen)[0]} failed (failure: fast)"
        return ""

    def past_deadline(self) -> bool:
        """Whether the stage is ended for its time limit."""
        return self._halt is Halt.DEADLINE

    def is_remade(self, step: StepGraph) -> bool:
        """Whether a step only makes a kept workspace anew."""
        return step.number in self._remade

    def up(self, step: StepGraph, hosts: Sequence[str] = ()) -> None:
        """A service or detached step may be relied on; later containers know these hosts."""
        if hosts:
            known = dict.fromkeys([*self.place.hosts, *hosts])
            self._place = structs.replace(self.place, hosts=tuple(known))
        self._seen[step.number] = Seen(Status.RUNNING, up=True)
        self._changed.set()

    async def settle(self, step: StepGraph, result: Result) -> None:
        """A step has ended: what hangs on it may go."""
        images.remember(self._built, result.images)
        self._errors[step.number] = result.error
        if step.number in self._remade and result.status is Status.PASSED:
            await self.tools.workspaces.remade(self._workspace, step.number)
        self._seen[step.number] = Seen(result.status, result.exit_code, up=True)
        if self._remade and all(self._passed(number) for number in self._remade):
            await self.tools.workspaces.rebuilt(self._workspace)
        self._changed.set()

    def _passed(self, number: int) -> bool:
        return self._seen.get(number, Seen()).status is Status.PASSED

    # ---- after -----------------------------------------------------------------------------------

    def _report(self) -> StageReport:
        status = progress.outcome(self._graph, self._seen, halt=self._halt)
        failed = [
            step
            for step in self._graph.steps
            if progress.counts(step, self._seen.get(step.number, Seen()))
        ]
        first = self._seen[failed[0].number] if failed else Seen()
        return StageReport(
            status=status,
            error=self.halted() or self._errors.get(failed[0].number if failed else 0, ""),
            exit_code=first.exit_code,
            started=self._began,
            stopped=clock.now(),
        )


def _seen(state: StepState) -> Seen:
    return Seen(state.status, state.exit_code, up=state.status.done)
