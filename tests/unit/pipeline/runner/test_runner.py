"""The runner on the simulated engine, in virtual time, with a dispatch in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fairway.kit import clock
from fairway.model.errors import Unavailable
from fairway.model.image import BuiltImage
from fairway.model.status import Status
from fairway.pipeline.dispatch import CaseReport, Lease, StageReport
from fairway.pipeline.dispatch import Runner as Identity
from fairway.pipeline.graph import (
    FailurePolicy,
    Ready,
    Reports,
    Retry,
    RunPolicy,
    SecretRef,
    StageGraph,
    StepGraph,
)
from fairway.pipeline.memory_dispatch import KeptStage, MemoryDispatch
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.runner import Findings, Runner, RunnerSettings, Tools
from fairway.testing.engine import Act, Recipe, SimulatedEngine, Trouble, from_script
from fairway.testing.workspaces import MemoryWorkspaces

pytestmark = pytest.mark.looptime


class NoReports:
    """Finds what it was told to find."""

    def __init__(self, found: Findings | None = None) -> None:
        self.found = found or Findings()

    async def read(self, folder: Path, wanted: Reports) -> Findings:
        return self.found


class PluginStub:
    """A plugin that does what it is told."""

    def __init__(self, act: Callable[[Job], Any]) -> None:
        self.jobs: list[Job] = []
        self._act = act

    async def run(self, job: Job) -> PluginEnd:
        self.jobs.append(job)
        await job.log(b"plugin at work\n")
        end = self._act(job)
        return (await end) if asyncio.iscoroutine(end) else end


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

    def _note(self, stage: int, kind: str, what: object) -> None:
        self.events.append((asyncio.get_running_loop().time(), kind, what))

    def runner(self, dispatch: Any = None) -> Runner:
        settings = RunnerSettings(
            identity=Identity(name="r", capacity=3), owner="simulated", patience_s=self.patience
        )
        tools = Tools(
            engines={"docker": self.engine},
            plugins=self.plugins,
            workspaces=self.workspaces,
            reports=self.reports,
            settings=settings,
            spread=random.Random(1),
        )
        return Runner(dispatch or self.dispatch, tools)

    @asynccontextmanager
    async def running(self, dispatch: Any = None) -> AsyncIterator[Runner]:
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
            while runner.active:
                await asyncio.sleep(0.1)
        assert self.engine.left() == []
        return self.dispatch.stages[what.stage]

    def log(self, step: int, attempt: int = 1) -> bytes:
        return bytes(self.dispatch.log(1, step, attempt).data)


def ends(kept: KeptStage) -> dict[str, str]:
    names = {step.number: step.name for step in kept.lease.graph.steps}
    return {names[number]: report.status.value for number, report in sorted(kept.steps.items())}


def word(kept: KeptStage) -> StageReport:
    assert kept.report is not None
    return kept.report


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
    what = lease("sleep 1000", "echo never", deadline=clock.now() + 60_000)
    kept = await bench.run(what)
    assert ends(kept) == {"s1": "failed", "s2": "skipped"}
    assert word(kept).status is Status.FAILED
    assert word(kept).error == "the build reached its time limit"


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


async def test_a_restarted_runner_goes_on_without_a_hole_and_starts_nothing_twice() -> None:
    bench = Bench()
    bench.dispatch.add(lease("echo a\nsleep 5\necho b\nsleep 5\necho c", "echo d"))
    for pause in (0.5, 2.0, 3.5, 4.0):
        async with bench.running():
            await asyncio.sleep(pause)
        bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert (bench.log(1), bench.log(2)) == (b"a\nb\nc\n", b"d\n")
    assert set(bench.engine.starts.values()) == {1}
    assert ends(bench.dispatch.stages[1]) == {"s1": "passed", "s2": "passed"}


async def test_a_silent_engine_is_waited_for_and_the_log_has_no_hole() -> None:
    engine = SimulatedEngine(
        trouble=Trouble(unanswered=0.3, answer_lost=0.3), source=random.Random(5)
    )
    bench = Bench(engine=engine)
    kept = await bench.run(lease("echo a\nsleep 3\necho b", "echo c"))
    assert word(kept).status is Status.PASSED
    assert bench.log(1) == b"a\nb\n"
    assert set(engine.starts.values()) == {1}


async def test_an_engine_that_stays_silent_is_given_up() -> None:
    bench = Bench(patience_s=20.0)
    bench.dispatch.add(lease("sleep 1000"))
    async with bench.running():
        await asyncio.sleep(5)
        bench.engine.down = True
        await asyncio.sleep(0.1)
        bench.engine.crash()
        await bench.dispatch.ended()
    kept = bench.dispatch.stages[1]
    assert kept.steps[1].status is Status.ERRORED
    assert word(kept).status is Status.ERRORED


async def test_a_step_that_died_with_its_engine_is_errored_not_failed() -> None:
    bench = Bench()
    bench.dispatch.add(lease("echo begun\nsleep 1000"))
    async with bench.running():
        await asyncio.sleep(5)
        bench.engine.down = True
        bench.engine.crash()
        await asyncio.sleep(5)
        bench.engine.down = False
        await bench.dispatch.ended()
    end = bench.dispatch.stages[1].steps[1]
    assert end.status is Status.ERRORED
    assert "the engine stopped while the step ran" in end.error
    assert bench.log(1) == b"begun\n"


async def test_a_lost_lease_touches_nothing_any_more() -> None:
    bench = Bench()
    bench.dispatch.add(lease("sleep 1000"))
    async with bench.running() as runner:
        await asyncio.sleep(2)
        kept = bench.dispatch.stages[1]
        kept.lease = structs.replace(kept.lease, token="another's")
        kept.until = asyncio.get_running_loop().time() + 1000
        await asyncio.sleep(10)
        assert runner.active == []
        assert bench.engine.left() == ["b1-s1"]
        assert kept.report is None


class Deaf(MemoryDispatch):
    """A system that does not answer now and then, sometimes after it did what was asked."""

    def __init__(self, inner: MemoryDispatch, seed: int) -> None:
        self._inner = inner
        self._dice = random.Random(seed)

    def __getattribute__(self, name: str) -> Any:
        if name not in ("lease", "renew", "step", "append", "end_log", "finish"):
            return object.__getattribute__(self, name)
        inner, dice = self._inner, self._dice

        async def call(*args: Any, **more: Any) -> Any:
            if dice.random() < 0.3:
                raise Unavailable("deaf")
            answer = await getattr(inner, name)(*args, **more)
            if name != "lease" and dice.random() < 0.3:
                raise Unavailable("deaf afterwards")
            return answer

        return call


@pytest.mark.parametrize("seed", range(5))
async def test_a_system_that_is_away_at_times_loses_nothing(seed: int) -> None:
    bench = Bench()
    bench.dispatch.add(lease("seq 1 2000\nsleep 1\nseq 1 1000", "echo d\nexit 7"))
    async with bench.running(Deaf(bench.dispatch, seed)):
        await bench.dispatch.ended()
    numbers = [*range(1, 2001), *range(1, 1001)]
    assert bench.log(1) == b"".join(b"%d\n" % number for number in numbers)
    assert ends(bench.dispatch.stages[1]) == {"s1": "passed", "s2": "failed"}


async def test_a_plugin_runs_in_place_of_a_container_and_its_images_are_used_by_name() -> None:
    image = BuiltImage(name="web:1", repository="acme/web", digest="sha256:" + "0" * 64)
    plugin = PluginStub(lambda job: PluginEnd(images=(image,)))
    bench = Bench(plugins={"docker": plugin})
    used: list[str] = []

    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        used.append(step.image)
        return from_script(place, step, env, attempt)

    bench.engine = SimulatedEngine(cook=cook)
    what = lease(
        {"image": "plugins/docker:latest", "image_written": "plugins/docker", "builtin": "docker"},
        {"script": "echo x", "image": "docker.io/library/web:1", "image_written": "web:1"},
        registry="127.0.0.1:5000",
    )
    kept = await bench.run(what)
    assert used == [f"127.0.0.1:5000/acme/web@sha256:{'0' * 64}"]
    assert bench.log(1) == b"plugin at work\n"
    assert kept.steps[1].images == [image]
    assert plugin.jobs[0].key == "b1-s1/1/1"


async def test_a_plugin_is_cancelled_at_once() -> None:
    async def forever() -> PluginEnd:
        await asyncio.sleep(10_000)
        return PluginEnd()

    bench = Bench(plugins={"clone": PluginStub(lambda job: forever())})
    bench.dispatch.add(lease({"builtin": "clone"}))
    async with bench.running():
        await asyncio.sleep(1)
        bench.dispatch.cancel(1, "no")
        await bench.dispatch.ended()
        assert asyncio.get_running_loop().time() < 2
    assert ends(bench.dispatch.stages[1]) == {"s1": "cancelled"}


async def test_a_restarted_runner_runs_a_plugin_again_with_the_same_key() -> None:
    async def slow() -> PluginEnd:
        await asyncio.sleep(10)
        return PluginEnd()

    plugin = PluginStub(lambda job: slow())
    bench = Bench(plugins={"webhook": plugin})
    bench.dispatch.add(lease({"builtin": "webhook"}))
    async with bench.running():
        await asyncio.sleep(5)
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert [job.key for job in plugin.jobs] == ["b1-s1/1/1", "b1-s1/1/1"]
    assert bench.log(1) == (
        b"plugin at work\n[fairway] the runner was restarted: this step runs again\n"
        b"plugin at work\n"
    )


async def test_an_unknown_plugin_is_an_error() -> None:
    kept = await Bench().run(lease({"builtin": "nobody"}))
    assert kept.steps[1].status is Status.ERRORED


async def test_reports_fail_a_step_that_passed_and_go_with_its_end() -> None:
    case = CaseReport(suite="s", name="n", status="passed")
    reports = NoReports(Findings((case,), 5, 10, "coverage is 50.0 %"))
    kept = await Bench(reports=reports).run(
        lease({"script": "echo x", "reports": Reports(min_coverage=80)})
    )
    last = kept.steps[1]
    assert (last.status, last.error, last.lines_total) == (Status.FAILED, "coverage is 50.0 %", 10)
    assert last.cases == [case]


async def test_a_retry_goes_on_in_the_kept_workspace_or_makes_it_anew() -> None:
    clone = {"name": "clone", "script": "echo cloned", "clone": True}
    both = StageGraph(name="p", type="docker", steps=steps(clone, "echo tested"))
    alone = structs.replace(both, steps=both.steps[1:])
    for there, expected in ((True, b""), (False, b"cloned\n")):
        bench = Bench()
        if there:
            bench.workspaces.made.add("old")
        what = lease(graph=alone, fallback=both, workspace="old")
        kept = await bench.run(what)
        assert bench.log(1) == expected
        assert bench.log(2) == b"tested\n"
        assert bench.workspaces.marked == set()
        rebuilt = [report.number for report in kept.reports if report.workspace_rebuilt]
        assert rebuilt == ([] if there else [1])


async def test_left_overs_are_swept_when_there_is_no_work() -> None:
    bench = Bench()
    bench.engine.networks.add("b0-s0")
    async with bench.running():
        await asyncio.sleep(31)
        assert bench.engine.left() == []


async def test_a_draining_runner_ends_what_it_has_and_takes_nothing_more() -> None:
    bench = Bench()
    bench.dispatch.add(lease("sleep 10"))
    runner = bench.runner()
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        await asyncio.sleep(1)
        runner.drain()
        bench.dispatch.add(lease("echo x", stage=2, key="b1-s2"))
    assert bench.dispatch.stages[1].report is not None
