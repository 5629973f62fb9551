"""What makes a build, what does not, and what each build is made of."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.build import BuildEvent
from fairway.model.errors import BadFile, Conflict, InvalidInput, NotFound
from fairway.model.events import CronDue, RefUpdated
from fairway.model.repository import Repository, Settings
from fairway.model.status import Status
from fairway.pipeline import triggers
from fairway.pipeline.triggers import PullRequest
from fairway.store import builds, quiet_commits

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: test, image: busybox, commands: ["true"]}
"""
ONLY_TAGS = FILE + "trigger: {event: [tag]}\n"
PROMOTED = FILE + "trigger: {event: [push, promote]}\n"


async def test_a_commit_without_a_pipeline_file_makes_no_build(chapter: Any) -> None:
    assert await chapter.push(None) is None


async def test_a_push_that_no_pipeline_is_for_makes_no_build(chapter: Any) -> None:
    assert await chapter.push(ONLY_TAGS) is None
    assert (await chapter.push(ONLY_TAGS, ref="refs/tags/v1")).event == "tag"


@pytest.mark.parametrize(
    ("message", "ref", "built"),
    [
        ("Fix it", "refs/heads/main", True),
        ("Fix it [ci skip]", "refs/heads/main", False),
        ("Fix it\n\n[SKIP CI]", "refs/heads/main", False),
        ("***NO_CI*** later", "refs/heads/main", False),
        ("Release [ci skip]", "refs/tags/v1", True),
        ("Note", "refs/notes/commits", False),
    ],
)
async def test_a_message_can_ask_for_no_build(
    chapter: Any, message: str, ref: str, built: bool
) -> None:
    assert (await chapter.push(FILE, ref=ref, message=message) is not None) is built


async def test_a_push_option_can_ask_for_no_build(chapter: Any) -> None:
    assert await chapter.push(FILE, options=["ci.skip"]) is None


async def test_a_bad_file_makes_a_build_that_ends_errored_with_the_place(chapter: Any) -> None:
    build = await chapter.push("kind: pipeline\nname: [\n")
    assert build.status is Status.ERRORED
    assert ".drone.yml:" in build.error
    assert len(await chapter.events("build-finished")) == 1


async def test_plain_processes_are_for_trusted_repositories_only(chapter: Any) -> None:
    text = FILE.replace("docker", "exec").replace("image: busybox, ", "")
    build = await chapter.push(text)
    assert build.status is Status.ERRORED
    (stage,) = await chapter.stages(build.number)
    assert stage.error.startswith(".drone.yml:2:1: `type: exec` is for trusted repositories only")
    await chapter.set(trusted=True)
    build = await chapter.push(text, ref="refs/heads/trusted")
    assert build.status is Status.PENDING


async def test_an_event_that_is_heard_twice_makes_one_build(chapter: Any) -> None:
    build = await chapter.push(FILE)
    moved = RefUpdated(
        repository=chapter.repository,
        slug="acme/site",
        ref=build.ref,
        before="",
        after=build.after,
        actor="ada",
    )
    await chapter.reactions.build_ref(moved, build.trigger_key)
    with pytest.raises(AssertionError):
        await chapter.build(2)


async def test_a_deletion_makes_no_build(chapter: Any) -> None:
    gone = RefUpdated(
        repository=chapter.repository,
        slug="acme/site",
        ref="refs/heads/main",
        before="a" * 40,
        after="",
        actor="ada",
    )
    await chapter.reactions.build_ref(gone, "event/1")
    with pytest.raises(AssertionError):
        await chapter.build(1)


async def test_a_cron_job_builds_its_branch_once_for_each_minute(chapter: Any) -> None:
    await chapter.push(FILE)
    for at in (60_000, 60_000, 120_000):
        due = CronDue(
            repository=chapter.repository,
            slug="acme/site",
            cron="nightly",
            branch="main",
            at=at,
        )
        await chapter.reactions.build_cron(due, f"event/{at}")
    assert (await chapter.build(2)).cron == "nightly"
    assert (await chapter.build(3)).trigger == "@cron"
    with pytest.raises(AssertionError):
        await chapter.build(4)


async def test_a_call_with_one_idempotency_key_makes_one_build(chapter: Any) -> None:
    await chapter.push(FILE)
    make = chapter.builds.custom
    first = await make(chapter.repository, params={"A": "1"}, actor="ada", key="k")
    again = await make(chapter.repository, params={"A": "1"}, actor="ada", key="k")
    assert (first.id, first.event, first.params) == (again.id, "custom", {"A": "1"})
    other = await make(chapter.repository, ref="main", actor="ada")
    assert other.id != first.id


async def test_a_call_for_a_ref_that_is_not_there_is_refused(chapter: Any) -> None:
    with pytest.raises(NotFound, match="no branch or tag"):
        await chapter.builds.custom(chapter.repository, ref="dev", actor="ada")


async def test_a_call_that_would_build_nothing_is_refused(chapter: Any) -> None:
    await chapter.push(ONLY_TAGS)
    with pytest.raises(Conflict, match="no pipeline is for a custom"):
        await chapter.builds.custom(chapter.repository, actor="ada")


async def test_a_pull_request_of_a_fork_is_known_as_one(chapter: Any) -> None:
    await chapter.push(FILE)
    sha = chapter.sources.push(chapter.repository, "refs/pull/7/head", FILE)
    pull = PullRequest(number=7, sha=sha, source="fix", target="main", source_repo="eve/site")
    build = await chapter.builds.pull_request(chapter.repository, pull, actor="ada")
    assert (build.event, build.fork, build.target, build.source) == (
        "pull_request",
        True,
        "main",
        "fix",
    )


async def test_a_pull_request_that_is_closed_begins_nothing(chapter: Any) -> None:
    pull = PullRequest(number=7, sha="a", source="fix", target="main", action="closed")
    with pytest.raises(InvalidInput, match="closed"):
        await chapter.builds.pull_request(chapter.repository, pull, actor="ada")


async def test_a_promotion_repeats_the_commit_for_an_environment(chapter: Any) -> None:
    await chapter.push(PROMOTED)
    await chapter.run(await chapter.lease())
    build = await chapter.builds.promote(
        chapter.repository, 1, target="production", actor="ada", params={"X": "y"}
    )
    first = await chapter.build(1)
    assert (build.event, build.parent, build.deploy_to) == ("promote", 1, "production")
    assert (build.after, build.params) == (first.after, {"X": "y"})


async def test_a_build_that_runs_cannot_be_promoted(chapter: Any) -> None:
    await chapter.push(PROMOTED)
    with pytest.raises(Conflict, match="has not ended"):
        await chapter.builds.promote(chapter.repository, 1, target="production", actor="ada")


async def test_a_file_that_cannot_be_read_ends_its_build_with_that_error(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_large(repository_id: int, sha: str, path: str) -> str | None:
        raise BadFile("it has too many bytes", code="config-too-large", where=path)

    monkeypatch.setattr(chapter.sources, "config", too_large)
    build = await chapter.push(FILE)
    assert build.status is Status.ERRORED
    assert build.error == ".drone.yml: it has too many bytes"


async def test_an_inactive_repository_builds_nothing(chapter: Any) -> None:
    await chapter.set(active=False)
    assert await chapter.push(FILE) is None


@pytest.mark.parametrize("running", [False, True])
async def test_a_newer_push_ends_the_older_build_where_that_is_asked(
    chapter: Any, running: bool
) -> None:
    await chapter.set(settings={"auto_cancel_pushes": True, "auto_cancel_running": running})
    await chapter.push(FILE)
    lease = await chapter.lease()
    await chapter.push(FILE)
    await chapter.push(FILE, ref="refs/heads/other")
    await chapter.push(FILE)
    orders = await chapter.dispatch.step(lease.stage, lease.token, _running(1))
    assert orders.stop is running
    await chapter.finish(lease)
    statuses = [(await chapter.build(number)).status for number in (1, 2, 3, 4)]
    first = Status.CANCELLED if running else Status.PASSED
    assert statuses == [first, Status.CANCELLED, Status.PENDING, Status.PENDING]


async def test_settings_can_leave_out_pushes_and_tags() -> None:
    def moved(ref: str) -> RefUpdated:
        return RefUpdated(repository=1, slug="a/b", ref=ref, before="", after="x", actor="")

    def judged(ref: str, **settings: bool) -> BuildEvent | None:
        repository = Repository(
            id=1, slug="a/b", organisation=1, name="b", settings=Settings(**settings)
        )
        return triggers.wanted(repository, moved(ref))

    assert judged("refs/heads/x") is BuildEvent.PUSH
    assert judged("refs/heads/x", ignore_pushes=True) is None
    assert judged("refs/tags/x") is BuildEvent.TAG
    assert judged("refs/tags/x", ignore_tags=True) is None


def _running(number: int) -> Any:
    from fairway.pipeline.dispatch import StepReport

    return StepReport(number=number, status=Status.RUNNING)


async def test_a_delivery_that_fairway_committed_starts_no_pipeline(chapter: Any) -> None:
    ref, text = "refs/heads/main", "Deploy\n\nFairway-Delivery: shop/app promote 1.0.0 dev"
    sha = chapter.sources.push(chapter.repository, ref, FILE, message=text)
    moved = RefUpdated(
        repository=chapter.repository,
        slug="acme/site",
        ref=ref,
        before="",
        after=sha,
        actor="fairway",
    )
    await chapter.database.write(quiet_commits.put, chapter.repository, sha)
    await chapter.reactions.build_ref(moved, "event/own")
    assert await chapter.database.read(builds.by_trigger_key, "event/own") is None


async def test_a_pushed_commit_with_the_trailer_of_deliveries_builds(chapter: Any) -> None:
    text = "Slip by\n\nFairway-Delivery: shop/app promote 1.0.0 dev"
    assert await chapter.push(FILE, message=text) is not None
