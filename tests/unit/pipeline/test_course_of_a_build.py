"""The thread through the chapter: a push becomes a build, stages are leased, the build ends."""

from __future__ import annotations

from typing import Any

from fairway.model.status import Status

ONE = """
kind: pipeline
type: docker
name: default
steps:
- name: test
  image: busybox
  commands: [echo hello]
"""
TWO = (
    ONE
    + """
---
kind: pipeline
type: docker
name: after
steps:
- {name: more, image: busybox, commands: ["true"]}
depends_on: [default]
"""
)
ON_FAILURE = TWO + "trigger: {status: [failure]}\n"


async def test_a_push_becomes_a_build_that_passes(chapter: Any) -> None:
    build = await chapter.push(ONE)
    assert (build.number, build.event, build.status) == (1, "push", Status.PENDING)
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["clone", "test"]
    assert (await chapter.build(1)).status is Status.RUNNING
    await chapter.run(lease)
    assert (await chapter.build(1)).status is Status.PASSED
    assert [step.status for step in await chapter.steps(1)] == [Status.PASSED, Status.PASSED]
    assert [event["status"] for event in await chapter.events("build-finished")] == ["passed"]


async def test_a_stage_waits_for_the_one_that_it_depends_on(chapter: Any) -> None:
    await chapter.push(TWO)
    first = await chapter.lease()
    assert first.graph.name == "default"
    assert await chapter.dispatch.lease(runner(), wait_s=0) is None
    await chapter.run(first)
    second = await chapter.lease()
    assert second.graph.name == "after"
    await chapter.run(second)
    assert (await chapter.build(1)).status is Status.PASSED


async def test_a_stage_after_a_failed_one_is_skipped(chapter: Any) -> None:
    await chapter.push(TWO)
    await chapter.run(await chapter.lease(), Status.FAILED)
    assert (await chapter.build(1)).status is Status.FAILED
    assert [stage.status for stage in await chapter.stages(1)] == [Status.FAILED, Status.SKIPPED]
    assert [step.status for step in await chapter.steps(1)][-1] is Status.SKIPPED


async def test_a_stage_for_failures_runs_after_one(chapter: Any) -> None:
    await chapter.push(ON_FAILURE)
    await chapter.run(await chapter.lease(), Status.FAILED)
    await chapter.run(await chapter.lease())
    assert (await chapter.build(1)).status is Status.FAILED
    assert [stage.status for stage in await chapter.stages(1)] == [Status.FAILED, Status.PASSED]


def runner() -> Any:
    from fairway.pipeline.dispatch import Runner

    return Runner(name="bob", instance="b1")
