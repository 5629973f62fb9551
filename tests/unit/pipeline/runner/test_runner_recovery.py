"""The runner under trouble: restarts, silent engines, a system that is away, plugins, retries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from fairway.model.errors import Forbidden, Unavailable
from fairway.model.image import BuiltImage
from fairway.model.status import Status
from fairway.pipeline.dispatch import CaseReport
from fairway.pipeline.graph import (
    Reports,
    SecretRef,
    StageGraph,
    StepGraph,
)
from fairway.pipeline.memory_dispatch import MemoryDispatch
from fairway.pipeline.plugin import PluginEnd
from fairway.pipeline.runner import Findings
from fairway.testing.engine import Act, Recipe, SimulatedEngine, Trouble, from_script
from fairway.testing.runnerbench import Bench, NoReports, PluginStub, ends, lease, steps, word

pytestmark = pytest.mark.looptime


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


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_secret_that_changed_under_a_running_step_stays_masked_in_both_its_values(
    cancelled: bool,
) -> None:
    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        token = env["TOKEN"].encode()
        return Recipe((Act(0, b"1 " + token + b"\n"), Act(10, b"2 " + token + b" younger\n")))

    bench = Bench(engine=SimulatedEngine(cook=cook))
    step = {"script": "x", "environment": {"TOKEN": SecretRef("tok")}}
    bench.dispatch.add(lease(step, secrets={"tok": "elder"}))
    async with bench.running():
        await asyncio.sleep(2)
    await asyncio.sleep(20)
    bench.dispatch.change_secrets(1, {"tok": "younger"})
    if cancelled:
        bench.dispatch.cancel(1, "enough")
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert bench.log(1) == b"1 ******\n2 ****** ******\n"


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


class Slow(MemoryDispatch):
    """A system that takes its time over the ends of logs."""

    def __init__(self, inner: MemoryDispatch) -> None:
        self._inner = inner

    def __getattribute__(self, name: str) -> Any:
        inner = object.__getattribute__(self, "__dict__").get("_inner")
        if name != "end_log":
            return getattr(inner, name)

        async def call(*args: Any, **more: Any) -> None:
            await asyncio.sleep(10)
            await inner.end_log(*args, **more)

        return call


class Closed(MemoryDispatch):
    """A system that lets nobody in."""

    async def lease(self, runner: Any, *, wait_s: float = 30.0) -> Any:
        raise Forbidden("the token lacks the scope runner")


async def test_a_runner_that_is_not_let_in_ends_instead_of_trying_for_ever() -> None:
    with pytest.raises(Forbidden, match="scope runner"):
        await Bench().runner(Closed()).run()


@pytest.mark.parametrize("seed", range(5))
async def test_a_system_that_is_away_at_times_loses_nothing(seed: int) -> None:
    bench = Bench()
    bench.dispatch.add(lease("seq 1 2000\nsleep 1\nseq 1 1000", "echo d\nexit 7"))
    async with bench.running(Deaf(bench.dispatch, seed)):
        await bench.dispatch.ended()
    numbers = [*range(1, 2001), *range(1, 1001)]
    assert bench.log(1) == b"".join(b"%d\n" % number for number in numbers)
    assert ends(bench.dispatch.stages[1]) == {"s1": "passed", "s2": "failed"}


async def test_no_step_is_skipped_for_a_failure_that_nobody_has_heard_of() -> None:
    outcomes = iter((Unavailable("the registry is away"), PluginEnd()))

    def act(_job: Any) -> PluginEnd:
        end = next(outcomes)
        if isinstance(end, Exception):
            raise end
        return end

    bench = Bench(plugins={"docker": PluginStub(act)})
    bench.dispatch.add(lease({"builtin": "docker"}, "echo used"))
    async with bench.running(Slow(bench.dispatch)):
        await asyncio.sleep(5)
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert ends(bench.dispatch.stages[1]) == {"s1": "passed", "s2": "passed"}
    assert bench.log(2) == b"used\n"


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
        assert bench.workspaces.marked == {}
        rebuilt = [report.number for report in kept.reports if report.workspace_rebuilt]
        assert rebuilt == ([] if there else [1])


async def test_a_restart_while_a_workspace_is_made_anew_goes_on_with_the_making() -> None:
    """The clone has passed: beneath a container that goes on, it must not run again."""
    plugin = PluginStub(lambda job: PluginEnd())
    bench = Bench(plugins={"git": plugin})
    clone = {"name": "clone", "builtin": "git", "clone": True}
    whole = StageGraph(
        name="p", type="docker", steps=steps(clone, "echo a\nsleep 9\necho b", "echo tested")
    )
    alone = structs.replace(whole, steps=whole.steps[2:])
    bench.dispatch.add(lease(graph=alone, fallback=whole, workspace="old"))
    async with bench.running():
        await asyncio.sleep(5)
    assert bench.workspaces.marked == {"old": ("b1-s1", {1})}
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert [job.step for job in plugin.jobs] == ["clone"]
    assert set(bench.engine.starts.values()) == {1}
    assert (bench.log(2), bench.log(3)) == (b"a\nb\n", b"tested\n")
    assert bench.workspaces.marked == {}


async def test_what_another_retry_left_half_made_is_made_from_the_start() -> None:
    plugin = PluginStub(lambda job: PluginEnd())
    bench = Bench(plugins={"git": plugin})
    clone = {"name": "clone", "builtin": "git", "clone": True}
    whole = StageGraph(name="p", type="docker", steps=steps(clone, "exit 1", "echo tested"))
    alone = structs.replace(whole, steps=whole.steps[2:])
    await bench.run(lease(graph=alone, fallback=whole, workspace="old"))
    assert bench.workspaces.marked == {"old": ("b1-s1", {1})}
    again = lease(graph=alone, fallback=whole, workspace="old", stage=2, key="b2-s1")
    await bench.run(again)
    assert [job.key for job in plugin.jobs] == ["b1-s1/1/1", "b2-s1/1/1"]
    assert bench.workspaces.marked == {"old": ("b2-s1", {1})}


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


async def test_a_restart_in_the_middle_of_a_secret_shows_no_part_of_it() -> None:
    def cook(place: Any, step: StepGraph, env: Mapping[str, str], attempt: int) -> Recipe:
        return Recipe((Act(0, b"a hun"), Act(5, b"ter2 b\n")))

    bench = Bench(engine=SimulatedEngine(cook=cook))
    bench.dispatch.add(lease("x", secrets={"tok": "hunter2"}))
    async with bench.running():
        await asyncio.sleep(2)
    assert (bench.log(1), bench.dispatch.log(1, 1).raw) == (b"a ", 2)
    bench.dispatch.release(1)
    async with bench.running():
        await bench.dispatch.ended()
    assert bench.log(1) == b"a ****** b\n"
