"""`Dispatch` without a system behind it: stages in memory, for `fairway exec` and for tests.

It keeps the contract's promises (one holder at a time, idempotent reports, logs by offset), so a
runner cannot tell it from the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from fairway.kit import clock
from fairway.model.errors import Conflict
from fairway.model.status import Status
from fairway.pipeline.dispatch import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Lease,
    Orders,
    Runner,
    StageReport,
    StepReport,
    StepState,
)


@dataclass
class KeptLog:
    """One attempt's log."""

    data: bytearray = field(default_factory=bytearray)
    raw: int = 0
    done: bool = False


@dataclass
class KeptStage:
    """One stage, and all that was reported of it."""

    lease: Lease
    after: tuple[int, ...] = ()  # stages that must have ended before
    holder: str = ""
    until: float = 0.0  # loop time
    leases: int = 0
    stop: bool = False
    reason: str = ""
    steps: dict[int, StepReport] = field(default_factory=dict)
    reports: list[StepReport] = field(default_factory=list)
    logs: dict[tuple[int, int], KeptLog] = field(default_factory=dict)
    report: StageReport | None = None


Watch = Callable[[int, str, object], None]
"""Told of what happens: (stage, `step` | `log` | `stage`, the report or (step, new bytes))."""


class MemoryDispatch:
    """Stages wait here until a runner takes them, in the order they were added."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.stages: dict[int, KeptStage] = {}
        self._watch = watch
        self._changed = asyncio.Event()

    def add(self, lease: Lease, *, after: tuple[int, ...] = ()) -> None:
        """Offer a stage. Its `token`, `steps` and `attempt` are set when it is leased."""
        self.stages[lease.stage] = KeptStage(lease, after)
        self._wake()

    def cancel(self, stage: int, reason: str) -> None:
        """Want a stage stopped: its holder hears at its next call."""
        kept = self.stages[stage]
        kept.stop, kept.reason = True, reason
        self._wake()

    def change_secrets(self, stage: int, secrets: dict[str, str]) -> None:
        """What its next holder is given."""
        kept = self.stages[stage]
        kept.lease = msgspec.structs.replace(kept.lease, secrets=secrets)

    async def ended(self) -> None:
        """Return when every stage has its last word."""
        while any(kept.report is None for kept in self.stages.values()):
            await self._change()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()

    def log(self, stage: int, step: int, attempt: int = 1) -> KeptLog:
        """The log of an attempt."""
        return self.stages[stage].logs.setdefault((step, attempt), KeptLog())

    # ---- Dispatch --------------------------------------------------------------------------------

    async def lease(self, runner: Runner, *, wait_s: float = 30.0) -> Lease | None:
        """As the contract says."""
        try:
            async with asyncio.timeout(wait_s):
                while (found := self._next(runner)) is None:
                    await self._change()
        except TimeoutError:
            return None
        return self._hand_out(found, runner)

    def _next(self, runner: Runner) -> KeptStage | None:
        now = asyncio.get_running_loop().time()
        for kept in self.stages.values():
            free = not kept.holder or kept.until < now
            ready = all(self.stages[number].report for number in kept.after)
            if kept.report is None and free and ready and kept.lease.graph.type == runner.type:
                return kept
        return None

    def _hand_out(self, kept: KeptStage, runner: Runner) -> Lease:
        kept.leases += 1
        kept.holder = runner.name
        kept.until = asyncio.get_running_loop().time() + LEASE_SECONDS
        kept.lease = msgspec.structs.replace(
            kept.lease,
            token=f"{kept.lease.stage}-{kept.leases}",
            attempt=kept.leases,
            steps=[self._state(kept, report) for report in kept.steps.values()],
        )
        return kept.lease

    def release(self, stage: int) -> None:
        """Take the lease away, as if its time were over."""
        self.stages[stage].holder = ""
        self._wake()

    def _state(self, kept: KeptStage, report: StepReport) -> StepState:
        log = kept.logs.get((report.number, report.attempt), KeptLog())
        names = {step.number: step.name for step in kept.lease.graph.steps}
        return StepState(
            number=report.number,
            name=names.get(report.number, ""),
            status=report.status,
            attempt=report.attempt,
            exit_code=report.exit_code,
            error=report.error,
            started=report.started,
            stopped=report.stopped,
            log_raw=log.raw,
            log_done=log.done,
        )

    def _held(self, stage: int, token: str) -> KeptStage:
        kept = self.stages[stage]
        if kept.lease.token != token or not kept.holder or kept.report is not None:
            raise Conflict(f"the lease of stage {stage} is another's", code="lease-lost")
        return kept

    def _orders(self, kept: KeptStage) -> Orders:
        kept.until = asyncio.get_running_loop().time() + LEASE_SECONDS
        return Orders(kept.stop, kept.reason, clock.now() + int(LEASE_SECONDS * 1000))

    async def renew(self, stage: int, token: str) -> Orders:
        """As the contract says."""
        kept = self._held(stage, token)
        self._orders(kept)
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                while not kept.stop and kept.report is None:
                    await self._change()
        except TimeoutError:
            pass
        return self._orders(kept)

    async def step(self, stage: int, token: str, report: StepReport) -> Orders:
        """As the contract says."""
        kept = self._held(stage, token)
        former = kept.steps.get(report.number)
        order = (report.attempt, report.status is not Status.RUNNING)
        if former is None or order >= (former.attempt, former.status is not Status.RUNNING):
            kept.steps[report.number] = report
        kept.reports.append(report)
        self._tell(stage, "step", report)
        return self._orders(kept)

    async def append(
        self, stage: int, token: str, step: int, *, attempt: int, offset: int, raw: int, data: bytes
    ) -> int:
        """As the contract says."""
        self._held(stage, token)
        log = self.log(stage, step, attempt)
        end = len(log.data)
        if offset > end:
            raise Conflict(f"the log of step {step} ends at {end}, not {offset}", code="log-gap")
        new = data[end - offset :]
        if new:
            log.data += new
            log.raw = raw
            self._tell(stage, "log", (step, new))
        return len(log.data)

    async def end_log(self, stage: int, token: str, step: int, *, attempt: int) -> None:
        """As the contract says."""
        self._held(stage, token)
        self.log(stage, step, attempt).done = True

    async def finish(self, stage: int, token: str, report: StageReport) -> None:
        """As the contract says."""
        kept = self._held(stage, token)
        kept.report = report
        self._tell(stage, "stage", report)
        self._wake()

    def _tell(self, stage: int, kind: str, what: object) -> None:
        if self._watch is not None:
            self._watch(stage, kind, what)
