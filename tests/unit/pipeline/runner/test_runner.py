"""The runner on the simulated engine, in virtual time, with a dispatch in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fairway.kit import clock
from fairway.model.status import Status
from fairway.pipeline.graph import (
    FailurePolicy,
    Ready,
    Reports,
    Retry,
    RunPolicy,
    SecretRef,
    StepGraph,
)
from fairway.pipeline.runner import Findings
from fairway.testing.engine import Act, Recipe, SimulatedEngine, Trouble
from fairway.testing.runnerbench import Bench, ends, lease, word

pytestmark = pytest.mark.looptime


async def test_steps_run_in_order_and_their_logs_are_whole() -> None:
    bench = Bench()
    kept = await bench.run(lease("echo one\nsleep 2", "echo two"))
    assert word(kept).status is Status.PASSED
    assert ends(kept) == {"s1": "passed", "s2": "passed"}
    assert (bench.log(1), bench.log(2)) == (b"one\n", b"two\n")
    assert all(log.done for log in kept.logs.values())
    assert (kept.steps[1].stopped or 0) - (kept.steps[1].started or 0) == 2000


async def test_a_failure_skips_what_follows_and_is_the_stages_end() -> None:
    bench = Bench()
    kept = await bench.run(
        lease("exit 3", "echo never", {"script": "echo after", "run": RunPolicy.ALWAYS})
    )
    assert ends(kept) == {"s1": "failed", "s2": "skipped", "s3": "passed"}
    assert (word(kept).status, word(kept).exit_code) == (Status.FAILED, 3)


async def test_secrets_are_put_in_and_masked_also_across_chunks() -> None:
    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        return Recipe((Act(0, b"a hun"), Act(1, b"ter2 b\n")))

    bench = Bench(engine=SimulatedEngine(cook=cook))
    step = {"script": "x", "environment": {"T": SecretRef("tok"), "N": SecretRef("none"), "E": ""}}
    seen: dict[str, str] = {}
    started = bench.engine.start

    async def start(place: Any, step: StepGraph, environment: Any, **more: Any) -> None:
        seen.update({k: v if isinstance(v, str) else v.reveal() for k, v in environment.items()})
        await started(place, step, environment, **more)

    bench.engine.start = start
    kept = await bench.run(lease(step, secrets={"tok": "hunter2"}))
    assert bench.log(1) == b"a ****** b\n"
    assert seen["T"] == "hunter2"
    assert seen["N"] == ""
    assert "E" not in seen
    assert seen["DRONE_BUILD_STATUS"] == "success"
    assert seen["DRONE_STEP_NAME"] == "s1"
    assert word(kept).status is Status.PASSED


async def test_a_later_step_learns_of_the_failure() -> None:
    bench = Bench()
    after = {
        "script": 'echo "$DRONE_BUILD_STATUS $DRONE_STAGE_STATUS $DRONE_FAILED_STEPS"',
        "run": RunPolicy.ON_FAILURE,
    }
    await bench.run(lease("exit 1", after))
    assert bench.log(2) == b"failure failure s1\n"


async def test_a_service_is_up_before_its_step_and_ends_with_the_stage() -> None:
    bench = Bench()
    service = {"service": True, "detach": True, "failure": FailurePolicy.IGNORE}
    kept = await bench.run(lease({"name": "db", **service}, "sleep 5"))
    assert ends(kept) == {"db": "passed", "s2": "passed"}
    assert word(kept).status is Status.PASSED


async def test_a_service_that_is_never_ready_is_an_error() -> None:
    bench = Bench()
    service = {
        "script": "echo starting\nsleep 1000",
        "service": True,
        "detach": True,
        "ready": Ready("tcp", 80, timeout_s=20),
    }
    kept = await bench.run(lease(service, "echo never"))
    assert ends(kept) == {"s1": "errored", "s2": "skipped"}
    assert kept.steps[1].error == "service s1 was not ready within 20 s"
    assert word(kept).status is Status.ERRORED


async def test_what_waits_for_readiness_starts_once_it_is_there() -> None:
    bench = Bench()
    service = {
        "script": "sleep 7\necho ready\nsleep 1000",
        "service": True,
        "detach": True,
        "ready": Ready("tcp", 80),
    }
    kept = await bench.run(lease(service, "echo go"))
    assert ends(kept) == {"s1": "passed", "s2": "passed"}
    begun = next(time for time, kind, what in bench.events if kind == "log" and what[0] == 2)
    assert 7 <= begun < 9


async def test_a_service_that_ends_before_it_is_ready_is_an_error() -> None:
    bench = Bench()
    service = {"script": "exit 2", "service": True, "detach": True, "ready": Ready("tcp", 80)}
    kept = await bench.run(lease(service, "echo never"))
    assert "ended (2) before it was ready" in kept.steps[1].error
    assert word(kept).status is Status.ERRORED


async def test_a_failed_step_is_tried_again_with_a_log_of_its_own() -> None:
    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        return Recipe((Act(1, b"try %d\n" % attempt),), 0 if attempt == 3 else 9)

    bench = Bench(engine=SimulatedEngine(cook=cook))
    kept = await bench.run(lease({"script": "x", "retry": Retry(limit=4, delay_s=10)}))
    assert [bench.log(1, attempt) for attempt in (1, 2, 3)] == [b"try 1\n", b"try 2\n", b"try 3\n"]
    assert (kept.steps[1].status, kept.steps[1].attempt) == (Status.PASSED, 3)
    again = [report for report in kept.reports if report.status is Status.RUNNING]
    assert [report.error for report in again] == [
        "",
        "attempt 1 failed: exit code 9",
        "attempt 2 failed: exit code 9",
    ]


async def test_a_cancel_between_two_attempts_begins_none() -> None:
    bench = Bench()
    bench.dispatch.add(lease({"script": "exit 9", "retry": Retry(limit=4, delay_s=100)}))
    async with bench.running():
        await asyncio.sleep(50)
        bench.dispatch.cancel(1, "enough")
        await bench.dispatch.ended()
        assert asyncio.get_running_loop().time() < 52
    end = bench.dispatch.stages[1].steps[1]
    assert (end.status, end.attempt) == (Status.CANCELLED, 1)
    assert end.error == "enough; attempt 1 failed: exit code 9"
    assert set(bench.engine.starts.values()) == {1}


async def test_a_cancel_that_meets_a_restarted_runner_keeps_the_whole_log() -> None:
    bench = Bench()
    bench.dispatch.add(lease("echo a\nsleep 5\necho b\nsleep 1000"))
    async with bench.running():
        await asyncio.sleep(2)
    await asyncio.sleep(10)
    bench.dispatch.cancel(1, "enough")
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert bench.log(1) == b"a\nb\n"
    assert ends(bench.dispatch.stages[1]) == {"s1": "cancelled"}


async def test_a_defect_of_ours_costs_the_stage_and_not_the_runner() -> None:
    class Broken:
        async def read(self, folder: Path, wanted: Reports) -> Findings:
            raise ZeroDivisionError

    bench = Bench(reports=Broken())
    kept = await bench.run(lease({"script": "echo x", "reports": Reports(junit=("a",))}))
    assert word(kept).status is Status.ERRORED
    assert "internal error" in word(kept).error


async def test_a_step_past_its_time_limit_is_killed_and_failed() -> None:
    bench = Bench()
    kept = await bench.run(lease({"script": "echo begun\nsleep 1000", "timeout_s": 30.0}))
    assert kept.steps[1].status is Status.FAILED
    assert kept.steps[1].error == "the step took longer than its limit of 30 s"
    assert bench.log(1) == b"begun\n"


async def test_a_stage_past_its_deadline_is_killed_and_failed() -> None:
    bench = Bench()
    what = lease("sleep 1000", "echo never", deadline=clock.now() + 60_000, limit_s=60)
    kept = await bench.run(what)
    assert ends(kept) == {"s1": "failed", "s2": "skipped"}
    assert word(kept).status is Status.FAILED
    assert word(kept).error == "the build reached its time limit of 1 minute"


async def test_a_cancel_ends_the_stage_within_a_second() -> None:
    bench = Bench()
    bench.dispatch.add(lease("sleep 1000", "echo never"))
    async with bench.running():
        await asyncio.sleep(20.3)
        at = asyncio.get_running_loop().time()
        bench.dispatch.cancel(1, "cancelled by ada")
        await bench.dispatch.ended()
        assert asyncio.get_running_loop().time() - at < 1
    kept = bench.dispatch.stages[1]
    assert ends(kept) == {"s1": "cancelled", "s2": "skipped"}
    assert (word(kept).status, word(kept).error) == (Status.CANCELLED, "cancelled by ada")


async def test_a_cancel_while_an_image_is_fetched_does_not_wait_for_it() -> None:
    engine = SimulatedEngine(trouble=Trouble(start_s=(600, 600)))
    bench = Bench(engine=engine)
    bench.dispatch.add(lease("echo x"))
    async with bench.running():
        await asyncio.sleep(5)
        bench.dispatch.cancel(1, "enough")
        await bench.dispatch.ended()
        assert asyncio.get_running_loop().time() < 10
    assert word(bench.dispatch.stages[1]).status is Status.CANCELLED


async def test_a_fast_failure_kills_the_others() -> None:
    bench = Bench()
    kept = await bench.run(
        lease(
            {"script": "sleep 1\nexit 1", "failure": FailurePolicy.FAST},
            {"script": "sleep 1000", "depends_on": ()},
        )
    )
    assert ends(kept) == {"s1": "failed", "s2": "cancelled"}
    assert word(kept).status is Status.CANCELLED
    assert word(kept).error == "step s1 failed (failure: fast)"


async def test_an_image_that_is_nowhere_is_an_error_in_words() -> None:
    bench = Bench()
    bench.engine.missing.add("busybox:1")
    kept = await bench.run(lease("echo x"))
    assert kept.steps[1].status is Status.ERRORED
    assert b"busybox:1 is nowhere" in bench.log(1)
    assert "busybox:1 is nowhere" in word(kept).error


async def test_a_log_past_its_limit_keeps_beginning_and_end_and_says_so() -> None:
    lines = b"".join(b"%06d\n" % number for number in range(100_000))

    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        return Recipe((Act(1, lines),))

    bench = Bench(engine=SimulatedEngine(cook=cook))
    await bench.run(lease("x", log_limit=100_000))
    log = bench.log(1)
    assert log.startswith(lines[:100_000] + b"\n[fairway] the log reached its limit")
    assert log.endswith(b"099998\n099999\n")
    assert f"{len(lines) - 100_000 - 64 * 1024} bytes were not kept".encode() in log
    assert len(log) < 170_000
