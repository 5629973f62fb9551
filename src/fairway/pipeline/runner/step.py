"""One step of a stage: its attempts, each with a log of its own, and its reports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from fairway.kit import clock
from fairway.kit.aio import background, together
from fairway.kit.secret import Masker
from fairway.model.status import Status
from fairway.pipeline import progress
from fairway.pipeline.dispatch import Lease, StepReport, StepState
from fairway.pipeline.engine import Engine, Place
from fairway.pipeline.graph import StepGraph
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.runner.attempt import Attempt, Result, job_for
from fairway.pipeline.runner.environment import Environment, hidden
from fairway.pipeline.runner.link import Link
from fairway.pipeline.runner.logs import LogWriter
from fairway.pipeline.runner.tools import Findings, Tools
from fairway.pipeline.runner.workspaces import tree


class Stage(Protocol):
    """What a step's run asks of its stage, and tells it."""

    lease: Lease
    link: Link
    tools: Tools

    @property
    def place(self) -> Place:
        """The stage's place."""
        ...

    @property
    def engine(self) -> Engine:
        """Where containers run."""
        ...

    def environment(self, step: StepGraph) -> Environment:
        """The step's environment, were it to start now."""
        ...

    async def shared(self) -> None:
        """Return once containers may start. Raises what went wrong."""
        ...

    def built(self) -> Mapping[str, str]:
        """Images that the build has pushed so far, by name."""
        ...

    def halted(self) -> str:
        """Why steps are being killed, or ""."""
        ...

    def past_deadline(self) -> bool:
        """Whether it is for the time limit."""
        ...

    def is_remade(self, step: StepGraph) -> bool:
        """Whether the step only makes a kept workspace anew."""
        ...

    def up(self, step: StepGraph, hosts: Sequence[str] = ()) -> None:
        """A service may be relied on; containers that start later know these hosts."""
        ...

    async def settle(self, step: StepGraph, result: Result) -> None:
        """The step has ended."""
        ...


class StepRun:
    """Runs one step to its end, or goes on with what an earlier holder left."""

    def __init__(self, stage: Stage, step: StepGraph, state: StepState | None) -> None:
        self._stage = stage
        self._step = step
        self._state = state if state is not None and not state.status.done else None
        self._attempt: Attempt | None = None
        self._killed = asyncio.Event()

    def kill(self) -> None:
        """End it now; no further attempt."""
        self._killed.set()
        if self._attempt is not None:
            self._attempt.kill()

    async def run(self) -> None:
        """All attempts. Returns when the end is reported and the log is whole."""
        number = self._state.attempt if self._state else 1
        problem = ""
        while True:
            problem = await self._once(number, problem)
            if not problem:
                return
            await self._pause()
            if self._killed.is_set():
                await self._give_up(number, problem)
                return
            self._state = None
            number += 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._step.retry.delay_s):
                await self._killed.wait()
        except TimeoutError:
            pass

    async def _give_up(self, number: int, problem: str) -> None:
        """The stage ends while the step waits for another attempt: the last one was its end."""
        stage = self._stage
        status = Status.FAILED if stage.past_deadline() else Status.CANCELLED
        error = f"{stage.halted()}; {problem}"
        result = Result(status=status, exit_code=progress.KILLED, error=error, stopped=clock.now())
        await stage.link.step(self._report(number, result, Findings()))
        await stage.settle(self._step, result)

    async def _once(self, number: int, problem: str) -> str:
        """One attempt; returns why another one follows, or ""."""
        stage, step, state = self._stage, self._step, self._state
        masker = Masker(hidden(stage.lease))
        log = LogWriter(
            stage.link, step.number, attempt=number, masker=masker, limit=stage.lease.log_limit
        )
        async with together() as group:
            begun = group.create_task(self._announce(number, problem))
            async with background(log.run()):
                await log.resume(state.log_raw if state else 0)
                result = await self._carry_out(number, log)
                findings = await self._findings(result)
                result = self._final(result, findings)
                again = self._again(result, number)
                if not again and not result.status.bad:
                    await stage.settle(step, result)
                await log.close()
            await begun
            if not again:
                await stage.link.step(self._report(number, result, findings))
                if result.status.bad:  # only now: a plugin that runs once more may well pass
                    await stage.settle(step, result)
        return again

    async def _announce(self, number: int, problem: str) -> None:
        if self._state is None or self._state.status is not Status.RUNNING:
            report = StepReport(
                number=self._step.number,
                status=Status.RUNNING,
                attempt=number,
                error=problem,
                started=clock.now(),
            )
            await self._stage.link.step(report)

    async def _carry_out(self, number: int, log: LogWriter) -> Result:
        stage, step, place = self._stage, self._step, self._stage.place
        attempt = Attempt(
            stage.tools,
            stage.engine,
            place,
            step,
            number=number,
            log=log,
            up=lambda: stage.up(step),
            shared=stage.shared,
        )
        self._attempt = attempt
        if self._killed.is_set():
            attempt.kill()
        environment = stage.environment(step)
        if not step.builtin:
            state = self._state
            since = state.started if state and state.status is Status.RUNNING else None
            result = await attempt.container(environment, since=since)
        else:
            result = await self._built_in(attempt, number, environment, log)
        if result.status is Status.ERRORED and not log.consumed:
            await log.note(result.error)
        return result

    async def _built_in(
        self, attempt: Attempt, number: int, environment: Environment, log: LogWriter
    ) -> Result:
        stage, step = self._stage, self._step
        plugin: Plugin | None = stage.tools.plugins.get(step.builtin)
        if plugin is None:
            return Result(
                status=Status.ERRORED,
                exit_code=progress.CANNOT_RUN,
                error=f"step {step.name}: this runner has no built-in plugin {step.builtin}",
            )
        if log.consumed:
            await log.note("[fairway] the runner was restarted: this step runs again")

        async def up(*hosts: str) -> None:
            stage.up(step, hosts)

        job = job_for(
            stage.lease,
            stage.place,
            step,
            attempt=number,
            environment=environment,
            log=log,
            tree=tree(stage.place.workspace, stage.place.graph),
            built=stage.built(),
        )
        return await attempt.plugin(plugin, msgspec.structs.replace(job, up=up))

    async def _findings(self, result: Result) -> Findings:
        if self._step.reports is None or result.status not in (Status.PASSED, Status.FAILED):
            return Findings()
        place = self._stage.place
        folder = tree(place.workspace, place.graph)
        return await self._stage.tools.reports.read(folder, self._step.reports)

    def _final(self, result: Result, findings: Findings) -> Result:
        """What the attempt's end means for the step."""
        stage, halted = self._stage, self._stage.halted()
        if result.status is Status.CANCELLED and halted:
            status = Status.FAILED if stage.past_deadline() else Status.CANCELLED
            return msgspec.structs.replace(result, status=status, error=halted)
        if progress.is_daemon(self._step) and result.status is not Status.ERRORED:
            return msgspec.structs.replace(result, status=Status.PASSED)
        if result.status is Status.PASSED and findings.error:
            return msgspec.structs.replace(
                result, status=Status.FAILED, exit_code=1, error=findings.error
            )
        return result

    def _again(self, result: Result, number: int) -> str:
        retry = self._step.retry
        if self._killed.is_set() or progress.is_daemon(self._step) or number > retry.limit:
            return ""
        if result.status.value not in retry.on or not result.status.bad:
            return ""
        why = result.error or f"exit code {result.exit_code}"
        return f"attempt {number} {result.status.value}: {why}"

    def _report(self, number: int, result: Result, findings: Findings) -> StepReport:
        return StepReport(
            number=self._step.number,
            status=result.status,
            attempt=number,
            exit_code=result.exit_code,
            error=result.error,
            started=result.started,
            stopped=result.stopped,
            images=list(result.images),
            cases=list(findings.cases),
            lines_covered=findings.lines_covered,
            lines_total=findings.lines_total,
            workspace_rebuilt=self._stage.is_remade(self._step),
        )
