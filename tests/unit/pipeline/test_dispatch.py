"""Leases: who gets a stage, how it is kept, lost and handed on, and what reports do."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kit import clock
from fairway.model.errors import Conflict
from fairway.model.status import Status
from fairway.pipeline import brakes, janitor
from fairway.pipeline.dispatch import BuiltImage, Runner, StageReport, StepReport
from fairway.pipeline.scheduler import MAX_ATTEMPTS
from fairway.store import runners, stages

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: one, image: busybox, commands: ["true"]}
- {name: two, image: busybox, commands: ["true"]}
"""
LABELLED = FILE + "node: {disk: ssd}\n"
LIMITED = FILE + "concurrency: {limit: 1}\n"
BOB = Runner(name="bob", instance="b1")


@pytest.fixture
def at() -> Any:
    """A time of day that a test moves, in seconds."""
    moment = [1_000_000.0]
    former = clock.use(lambda: moment[0])
    yield moment
    clock.use(former)


async def test_a_stage_is_handed_to_one_runner_only(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.lease()
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None


async def test_stages_are_handed_out_eldest_first(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.push(FILE)
    first, second = await chapter.lease(), await chapter.lease(BOB)
    assert first.build < second.build


async def test_labels_must_be_equal(chapter: Any) -> None:
    await chapter.push(LABELLED)
    for labels in ({}, {"disk": "hdd"}, {"disk": "ssd", "more": "1"}):
        runner = Runner(name="r", instance="1", labels=labels)
        assert await chapter.dispatch.lease(runner, wait_s=0) is None
    fitting = Runner(name="r", instance="1", labels={"disk": "ssd"})
    assert await chapter.dispatch.lease(fitting, wait_s=0) is not None


async def test_a_runner_elsewhere_is_told_the_address_at_which_it_reaches_us(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.push(FILE)
    near = await chapter.lease()
    far = await chapter.lease(Runner(name="far", instance="1", reach="https://ci.example.org/"))
    assert near.registry == "127.0.0.1:8480"
    assert far.clone_url.startswith("https://ci.example.org/")
    assert far.registry == "ci.example.org"
    assert not near.clone_url.startswith("https://ci.example.org/")


@pytest.mark.parametrize("wrong", [{"type": "exec"}, {"arch": "arm64"}, {"os": "windows"}])
async def test_type_and_platform_must_agree(chapter: Any, wrong: dict[str, str]) -> None:
    await chapter.push(FILE)
    assert await chapter.dispatch.lease(Runner(name="r", **wrong), wait_s=0) is None


async def test_the_concurrency_limit_lets_earlier_stages_go_first(chapter: Any) -> None:
    await chapter.push(LIMITED)
    await chapter.push(LIMITED)
    first = await chapter.lease()
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None
    await chapter.run(first)
    assert await chapter.dispatch.lease(BOB, wait_s=0) is not None


async def test_nothing_new_begins_while_work_is_paused(chapter: Any) -> None:
    await chapter.push(FILE)
    await chapter.database.write(brakes.pause, "ada")
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None
    await chapter.database.write(brakes.resume)
    await chapter.database.write(brakes.disk, 5, low=True)
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None
    await chapter.database.write(brakes.disk, 5_000, low=False)
    await chapter.database.write(runners.pause, "bob", paused=True)
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None
    assert await chapter.lease()


async def test_a_restarted_runner_gets_its_stage_back_at_once_with_what_was_done(
    chapter: Any,
) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    await chapter.step(lease, 1, Status.RUNNING)
    await chapter.step(lease, 1, Status.PASSED)
    await chapter.step(lease, 2, Status.RUNNING)
    again = await chapter.lease(Runner(name="alice", instance="a2"))
    assert (again.stage, again.attempt) == (lease.stage, 2)
    assert [(step.number, step.status) for step in again.steps] == [
        (1, Status.PASSED),
        (2, Status.RUNNING),
    ]
    with pytest.raises(Conflict) as lost:
        await chapter.dispatch.renew(lease.stage, lease.token)
    assert lost.value.code == "lease-lost"


async def test_a_second_slot_of_a_runner_does_not_get_its_own_stage(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    assert await chapter.dispatch.lease(Runner(name="alice", instance="a1"), wait_s=0) is None
    await chapter.run(lease)


async def test_another_runner_takes_over_after_nine_seconds_and_begins_anew(
    chapter: Any, at: list[float]
) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    chapter.dispatch._began = 0
    await chapter.step(lease, 1, Status.RUNNING)
    await chapter.step(lease, 1, Status.PASSED)
    at[0] += 9.0
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None
    at[0] += 0.1
    taken = await chapter.lease(BOB)
    assert taken.stage == lease.stage
    assert [(step.number, step.status, step.attempt) for step in taken.steps] == [
        (1, Status.PENDING, 2)
    ]


async def test_a_lost_stage_is_queued_again_and_at_last_given_up(
    chapter: Any, at: list[float]
) -> None:
    await chapter.push(FILE)
    chapter.dispatch._began = 0
    for attempt in range(1, MAX_ATTEMPTS + 1):
        lease = await chapter.lease(BOB)
        assert lease.attempt == attempt
        at[0] += 10
        await chapter.database.write(janitor.give_up_or_queue, lease.stage, clock.now())
    build = await chapter.build(1)
    assert build.status is Status.ERRORED
    assert "lost 10 times" in (await chapter.stages(1))[0].error


async def test_renewing_keeps_a_lease(chapter: Any, at: list[float]) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    await chapter.builds.cancel(chapter.repository, 1, actor="ada")
    at[0] += 8
    orders = await chapter.dispatch.renew(lease.stage, lease.token)
    assert (orders.until, orders.stop, orders.reason) == (
        int((at[0] + 9) * 1000),
        True,
        "cancelled by ada",
    )


async def test_a_cancelled_build_ends_when_its_runner_has_stopped(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    await chapter.builds.cancel(chapter.repository, 1, actor="ada")
    assert (await chapter.build(1)).status is Status.RUNNING
    await chapter.finish(lease, Status.PASSED)
    assert (await chapter.build(1)).status is Status.CANCELLED
    with pytest.raises(Conflict, match="has ended already"):
        await chapter.builds.cancel(chapter.repository, 1, actor="ada")


async def test_a_cancelled_stage_whose_runner_is_lost_ends(chapter: Any, at: list[float]) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    await chapter.builds.cancel(chapter.repository, 1, actor="ada")
    at[0] += 10
    await chapter.database.write(janitor.give_up_or_queue, lease.stage, clock.now())
    assert (await chapter.build(1)).status is Status.CANCELLED


async def test_a_pending_build_is_cancelled_at_once(chapter: Any) -> None:
    await chapter.push(FILE)
    cancelled = await chapter.builds.cancel(chapter.repository, 1, actor="ada")
    assert cancelled.status is Status.CANCELLED
    assert await chapter.dispatch.lease(BOB, wait_s=0) is None


async def test_a_build_past_its_deadline_is_told_to_stop_and_fails(
    chapter: Any, at: list[float]
) -> None:
    await chapter.set(timeout_s=60)
    await chapter.push(FILE)
    lease = await chapter.lease()
    assert lease.deadline == int((at[0] + 60) * 1000)
    await chapter.database.write(janitor.end_late, lease.build)
    orders = await chapter.dispatch.step(
        lease.stage, lease.token, StepReport(number=1, status=Status.RUNNING)
    )
    assert orders.stop
    assert "time limit of 1 minute" in orders.reason
    await chapter.finish(lease, Status.CANCELLED)
    assert (await chapter.build(1)).status is Status.FAILED


async def test_no_repository_makes_a_build_last_longer_than_the_operator_lets_it(
    chapter: Any, at: list[float]
) -> None:
    await chapter.set(timeout_s=10**7)
    await chapter.push(FILE)
    lease = await chapter.lease()
    assert lease.deadline == int((at[0] + 24 * 3600) * 1000)


async def test_reports_may_be_repeated_and_late_ones_change_nothing(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    for status in (Status.RUNNING, Status.RUNNING, Status.FAILED, Status.FAILED, Status.RUNNING):
        await chapter.step(lease, 1, status)
    assert (await chapter.steps(1))[0].status is Status.FAILED
    told = [event for event in await chapter.events("build-changed") if event["step"]]
    assert [event["step_status"] for event in told] == ["running", "failed"]
    await chapter.step(lease, 1, Status.RUNNING, attempt=2)
    await chapter.step(lease, 1, Status.FAILED, attempt=1)
    assert (await chapter.steps(1))[0].status is Status.RUNNING
    await chapter.finish(lease)
    await chapter.finish(lease)
    assert len(await chapter.events("build-finished")) == 1


async def test_an_image_is_told_once_and_known_to_later_stages(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    image = BuiltImage(name="acme/site:1", repository="acme/site", digest="sha256:aa")
    for status in (Status.RUNNING, Status.PASSED, Status.PASSED):
        await chapter.step(lease, 1, status, images=[image])
    told = await chapter.events("image-built")
    assert [(event["repository_name"], event["digest"]) for event in told] == [
        ("acme/site", "sha256:aa")
    ]
    again = await chapter.lease(Runner(name="alice", instance="a2"))
    assert again.built == {"acme/site:1": "acme/site@sha256:aa"}


async def test_a_builds_credentials_end_with_it(chapter: Any) -> None:
    from fairway.access.tokens import Tokens
    from fairway.kit.secret import Secret
    from fairway.model.errors import Unauthenticated

    await chapter.push(FILE)
    lease = await chapter.lease()
    value = Secret(lease.clone_password)
    assert (await Tokens(chapter.database).verify(value)).build == lease.build
    again = await chapter.lease(Runner(name="alice", instance="a2"))
    assert again.clone_password == lease.clone_password, "logs mask what the new holder knows"
    await chapter.run(again)
    with pytest.raises(Unauthenticated):
        await Tokens(chapter.database).verify(value)


async def test_a_stage_whose_file_cannot_be_compiled_is_errored_when_it_is_made(
    chapter: Any,
) -> None:
    await chapter.push(FILE.replace("image: busybox", "image: ''", 1))
    build = await chapter.build(1)
    assert build.status is Status.ERRORED
    assert ".drone.yml:" in (await chapter.stages(1))[0].error


async def test_a_report_with_a_foreign_token_is_refused(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    for call in (
        chapter.dispatch.step(lease.stage, "x", StepReport(number=1, status=Status.PASSED)),
        chapter.dispatch.finish(lease.stage, "x", StageReport(status=Status.PASSED)),
        chapter.dispatch.append(lease.stage, "x", 1, attempt=1, offset=0, raw=1, data=b"x"),
        chapter.dispatch.end_log(lease.stage, "", 1, attempt=1),
    ):
        with pytest.raises(Conflict) as lost:
            await call
        assert lost.value.code == "lease-lost"


async def test_a_runner_without_a_free_slot_is_still_seen(chapter: Any, at: list[float]) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    at[0] += 70
    await chapter.builds.cancel(chapter.repository, 1, actor="ada")
    await chapter.dispatch.renew(lease.stage, lease.token)
    found = await chapter.database.read(runners.find, "alice")
    assert found.seen == int(at[0] * 1000)


async def test_runners_are_known_once_they_asked(chapter: Any) -> None:
    await chapter.dispatch.lease(Runner(name="carol", capacity=7), wait_s=0)
    found = await chapter.database.read(runners.find, "carol")
    assert (found.capacity, found.paused) == (7, False)
    assert await chapter.database.read(stages.held_by, "carol") == []
