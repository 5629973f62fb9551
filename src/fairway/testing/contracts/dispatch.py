"""What every way into the system must do: a suite that each implementation's tests inherit.

A test class inherits `DispatchContract` and gives the fixture `bench`: a dispatch, and the hands
that play the rest of the system. Each stage that a bench offers has two steps, 1 and 2.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from fairway.model.errors import Conflict
from fairway.model.status import Status
from fairway.pipeline.dispatch import (
    CaseReport,
    Dispatch,
    Lease,
    Runner,
    StageReport,
    StepReport,
)

ALICE = Runner(name="alice", instance="a1")
BOB = Runner(name="bob", instance="b1")


class Bench(Protocol):
    """A dispatch and what a test may do to the system behind it."""

    dispatch: Dispatch

    async def offer(self) -> int:
        """Make a stage that a runner may take. Returns its number."""
        ...

    async def stop(self, stage: int) -> None:
        """Want a stage stopped."""
        ...

    async def expire(self, stage: int) -> None:
        """Let a stage's lease run out."""
        ...

    async def log(self, stage: int, step: int) -> bytes:
        """What is kept of the log of the first attempt."""
        ...

    async def status(self, stage: int) -> Status | None:
        """How a stage ended; None while it has not."""
        ...


async def leased(bench: Bench, runner: Runner = ALICE) -> Lease:
    """A stage that was just taken."""
    await bench.offer()
    found = await bench.dispatch.lease(runner, wait_s=5.0)
    if found is None:
        raise AssertionError("there was a stage to take")
    return found


class DispatchContract:
    """Inherit it, and give `bench`."""

    async def test_without_work_there_is_no_lease(self, bench: Bench) -> None:
        assert await bench.dispatch.lease(ALICE, wait_s=0.0) is None

    async def test_a_stage_is_handed_to_one_runner(self, bench: Bench) -> None:
        stage = await bench.offer()
        first = await bench.dispatch.lease(ALICE, wait_s=5.0)
        assert first is not None
        assert first.stage == stage
        assert first.token
        assert [step.number for step in first.graph.steps][-1] >= 2
        assert await bench.dispatch.lease(BOB, wait_s=0.0) is None

    async def test_a_waiting_runner_gets_what_comes(self, bench: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(bench.dispatch.lease(ALICE, wait_s=20.0))
            await asyncio.sleep(0)
            stage = await bench.offer()
        found = waiting.result()
        assert found is not None
        assert found.stage == stage

    async def test_a_lease_that_ran_out_goes_to_another_and_the_first_has_lost_it(
        self, bench: Bench
    ) -> None:
        first = await leased(bench)
        await bench.expire(first.stage)
        second = await bench.dispatch.lease(BOB, wait_s=5.0)
        assert second is not None
        assert (second.stage, second.attempt) == (first.stage, first.attempt + 1)
        with pytest.raises(Conflict) as lost:
            await bench.dispatch.renew(first.stage, first.token)
        assert lost.value.code == "lease-lost"
        report = StepReport(number=1, status=Status.RUNNING)
        with pytest.raises(Conflict):
            await bench.dispatch.step(first.stage, first.token, report)
        with pytest.raises(Conflict):
            await bench.dispatch.append(
                first.stage, first.token, 1, attempt=1, offset=0, raw=1, data=b"x"
            )

    async def test_a_holder_hears_that_it_shall_stop(self, bench: Bench) -> None:
        lease = await leased(bench)
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(bench.dispatch.renew(lease.stage, lease.token))
            await asyncio.sleep(0)
            await bench.stop(lease.stage)
        orders = renewing.result()
        if not orders.stop:  # it had answered before
            orders = await bench.dispatch.renew(lease.stage, lease.token)
        assert orders.stop

    async def test_a_log_is_kept_once_however_often_it_comes(self, bench: Bench) -> None:
        lease = await leased(bench)

        async def append(offset: int, data: bytes) -> int:
            raw = offset + len(data)
            return await bench.dispatch.append(
                lease.stage, lease.token, 1, attempt=1, offset=offset, raw=raw, data=data
            )

        report = StepReport(number=1, status=Status.RUNNING)
        await bench.dispatch.step(lease.stage, lease.token, report)
        assert await append(0, b"one\n") == 4
        assert await append(0, b"one\n") == 4
        assert await append(0, b"one\ntwo\n") == 8
        assert await append(4, b"two\nthree\n") == 14
        with pytest.raises(Conflict) as gap:
            await append(20, b"late")
        assert gap.value.code == "log-gap"
        await bench.dispatch.end_log(lease.stage, lease.token, 1, attempt=1)
        await bench.dispatch.end_log(lease.stage, lease.token, 1, attempt=1)
        assert await bench.log(lease.stage, 1) == b"one\ntwo\nthree\n"

    async def test_a_log_of_many_bytes_arrives_whole(self, bench: Bench) -> None:
        lease = await leased(bench)
        report = StepReport(number=1, status=Status.RUNNING)
        await bench.dispatch.step(lease.stage, lease.token, report)
        data = b"0123456789abcde\n" * (9 * 64 * 1024)  # 9 MiB
        end = await bench.dispatch.append(
            lease.stage, lease.token, 1, attempt=1, offset=0, raw=len(data), data=data
        )
        assert end == len(data)
        assert await bench.log(lease.stage, 1) == data

    async def test_what_was_reported_is_known_to_the_next_holder(self, bench: Bench) -> None:
        lease = await leased(bench)
        dispatch = bench.dispatch
        for status in (Status.RUNNING, Status.PASSED, Status.PASSED):
            await dispatch.step(lease.stage, lease.token, StepReport(number=1, status=status))
        await bench.expire(lease.stage)
        again = await dispatch.lease(Runner(name=ALICE.name, instance="a2"), wait_s=5.0)
        assert again is not None
        states = {step.number: step.status for step in again.steps}
        assert states[1] is Status.PASSED

    async def test_reports_with_tests_and_coverage_are_taken(self, bench: Bench) -> None:
        lease = await leased(bench)
        case = CaseReport(suite="s", name="n", status="failed", seconds=0.5, message="grün < 3")
        report = StepReport(
            number=1, status=Status.FAILED, exit_code=1, cases=[case], lines_covered=3,
            lines_total=4,
        )  # fmt: skip
        orders = await bench.dispatch.step(lease.stage, lease.token, report)
        assert not orders.stop

    async def test_an_ended_stage_is_no_more_to_be_had(self, bench: Bench) -> None:
        lease = await leased(bench)
        for number in (1, 2):
            for status in (Status.RUNNING, Status.PASSED):
                report = StepReport(number=number, status=status)
                await bench.dispatch.step(lease.stage, lease.token, report)
        last = StageReport(status=Status.PASSED)
        await bench.dispatch.finish(lease.stage, lease.token, last)
        assert await bench.status(lease.stage) is Status.PASSED
        assert await bench.dispatch.lease(BOB, wait_s=0.0) is None
