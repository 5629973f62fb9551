"""Retries: what runs again, what is carried, and in which workspace."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.build import Retry, RetryScope
from fairway.model.errors import Conflict, InvalidInput
from fairway.model.status import Status
from fairway.pipeline.dispatch import BuiltImage, StepReport

FILE = """
kind: pipeline
type: docker
name: build
services:
- {name: db, image: postgres}
steps:
- {name: compile, image: busybox, commands: ["true"]}
- {name: test, image: busybox, commands: ["true"]}
- {name: tell, image: busybox, commands: ["true"], when: {status: [success, failure]}}
---
kind: pipeline
type: docker
name: after
steps:
- {name: more, image: busybox, commands: ["true"]}
depends_on: [build]
"""
FAILED = RetryScope.FAILED
STEP = RetryScope.STEP


async def failed_build(chapter: Any) -> None:
    """A build whose step `test` failed, so that stage `after` was skipped."""
    await chapter.push(FILE)
    lease = await chapter.lease()
    numbers = {step.name: step.number for step in lease.graph.steps}
    image = BuiltImage(name="acme/site:1", repository="acme/site", digest="sha256:aa")
    for name in ("clone", "db", "compile", "test", "tell"):
        ended = Status.FAILED if name == "test" else Status.PASSED
        images = [image] if name == "compile" else []
        await chapter.step(lease, numbers[name], Status.RUNNING)
        await chapter.step(lease, numbers[name], ended, images=images)
    await chapter.finish(lease, Status.FAILED)


async def retried(chapter: Any, **how: Any) -> Any:
    return await chapter.builds.retry(chapter.repository, 1, retry=Retry(**how), actor="ada")


async def test_a_retry_of_all_runs_everything_in_a_workspace_of_its_own(chapter: Any) -> None:
    await failed_build(chapter)
    build = await retried(chapter)
    assert (build.number, build.parent, build.event) == (2, 1, "push")
    lease = await chapter.lease()
    assert len(lease.graph.steps) == 5
    assert lease.fallback is None
    assert lease.workspace != (await chapter.stages(1))[0].workspace


async def test_a_retry_of_what_failed_carries_what_passed_on_the_kept_workspace(
    chapter: Any,
) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=FAILED)
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["db", "test", "tell"]
    assert [step.name for step in lease.fallback.steps] == [
        "clone",
        "db",
        "compile",
        "test",
        "tell",
    ]
    assert lease.workspace == (await chapter.stages(1))[0].workspace
    assert lease.built == {"acme/site:1": "acme/site@sha256:aa"}
    await chapter.run(lease)
    await chapter.run(await chapter.lease())
    assert (await chapter.build(2)).status is Status.PASSED
    carried = [step.name for step in await chapter.steps(2) if step.carried == 1]
    assert carried == ["clone", "compile"]
    assert [event["build"] for event in await chapter.events("image-built")] == [
        (await chapter.build(1)).id,
        (await chapter.build(2)).id,
    ]


async def test_a_retry_of_one_step_runs_it_alone_and_keeps_the_other_outcomes(
    chapter: Any,
) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=STEP, step="compile")
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["db", "compile"]
    await chapter.run(lease)
    build = await chapter.build(2)
    assert build.status is Status.FAILED, "the step `test` is still failed"
    assert [stage.status for stage in await chapter.stages(2)] == [Status.FAILED, Status.SKIPPED]


async def test_a_retry_of_a_step_with_what_depends_on_it(chapter: Any) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=STEP, step="test", descendants=True)
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["db", "test", "tell"]
    await chapter.run(lease)
    after = await chapter.lease()
    assert after.graph.name == "after"
    assert [step.name for step in after.graph.steps] == ["clone", "more"]
    await chapter.run(after)
    assert (await chapter.build(2)).status is Status.PASSED


async def test_a_step_that_makes_the_workspace_anew_runs_though_it_is_carried(
    chapter: Any,
) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=FAILED)
    lease = await chapter.lease()
    clone = lease.fallback.steps[0].number
    await chapter.step(lease, clone, Status.RUNNING, started=5)
    again = await chapter.steps(2)
    assert (again[0].status, again[0].carried) == (Status.RUNNING, 1)
    report = StepReport(number=clone, status=Status.PASSED, started=5, workspace_rebuilt=True)
    await chapter.dispatch.step(lease.stage, lease.token, report)
    await chapter.dispatch.step(lease.stage, lease.token, report)
    await chapter.step(lease, clone, Status.RUNNING, started=5)
    assert (await chapter.steps(2))[0].status is Status.PASSED


async def test_a_retry_of_a_retry_carries_from_the_first(chapter: Any) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=FAILED)
    await chapter.run(await chapter.lease(), Status.FAILED)
    await chapter.builds.retry(chapter.repository, 2, retry=Retry(scope=FAILED), actor="ada")
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["db", "tell"]
    assert {step.carried for step in await chapter.steps(3) if step.carried} == {1, 2}


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"scope": STEP, "step": "nothing"}, "step-not-in-build"),
        ({"scope": STEP, "step": "clone"}, "step-ambiguous"),
    ],
)
async def test_a_step_that_is_not_there_or_not_the_only_one_is_refused(
    chapter: Any, how: dict[str, Any], code: str
) -> None:
    await failed_build(chapter)
    with pytest.raises(InvalidInput) as refused:
        await retried(chapter, **how)
    assert refused.value.code == code


async def test_a_build_that_runs_cannot_be_retried(chapter: Any) -> None:
    await chapter.push(FILE)
    with pytest.raises(Conflict, match="has not ended"):
        await retried(chapter)


async def test_a_passed_build_has_nothing_failed_to_retry(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.run(await chapter.lease())
    await chapter.run(await chapter.lease())
    with pytest.raises(InvalidInput, match="nothing of build #1 failed"):
        await retried(chapter, scope=FAILED)


async def test_two_retries_do_not_share_a_workspace_at_once(chapter: Any) -> None:
    await failed_build(chapter)
    await retried(chapter, scope=FAILED)
    with pytest.raises(Conflict, match="uses its workspace"):
        await retried(chapter, scope=FAILED)
    assert (await retried(chapter)).number == 3
