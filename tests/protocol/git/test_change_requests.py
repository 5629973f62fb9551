"""Change requests as real git opens them: by a push, answered in the push's own output."""

from __future__ import annotations

import pytest

from fairway.git.writing import Method
from fairway.model.change_request import ChangeRequest, ChangeState
from fairway.model.events import ChangeRequestChanged, Event, RefUpdated
from fairway.model.scope import SYSTEM
from fairway.store import change_requests, outbox, repositories
from fairway.testing.githost import Git, GitHost

pytestmark = pytest.mark.client
SLUG = "tide/app"


async def filled(host: GitHost, git: Git) -> str:
    """`main` with a commit, pushed; the folder is on `feature` with another."""
    await git.init()
    await git.commit("first", {"a": "1"})
    await git("remote", "add", "origin", host.remote(SLUG))
    await git("push", "-q", "origin", "main")
    await git("checkout", "-q", "-b", "feature")
    return await git.commit("feat: second", {"b": "2"})


async def change(host: GitHost, number: int = 1) -> ChangeRequest | None:
    found = await host.database.read(repositories.by_slug, SYSTEM, SLUG)
    assert found is not None
    return await host.database.read(change_requests.by_number, found.id, number)


async def deliver(host: GitHost) -> None:
    """Everything that happened, to the course of change requests, and what comes of it."""
    seen = 0
    while found := await host.database.read(outbox.since, seen, limit=1000):
        seen = found[-1][0]
        await hand_out(host, [event for _, _, event in found])


async def hand_out(host: GitHost, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, RefUpdated):
            await host.changes.course.follow(event, "x")
        if isinstance(event, ChangeRequestChanged):
            await host.changes.course.test(event, "x")


async def test_a_push_opens_one_and_is_told_its_number_and_address(host: GitHost, git: Git) -> None:
    head = await filled(host, git)
    said = await git("push", "-o", "change-request", "-o", "title=Raise it", "origin", "feature")
    assert "remote: Change request #1: Raise it (feature -> main)" in said
    assert "remote:   http://fairway.test/api/v1/repos/tide/app/changes/1" in said
    assert "remote:   fairway change-request watch 1 -R tide/app" in said
    made = await change(host)
    assert made is not None
    assert (made.head, made.author, made.title) == (head, "ada", "Raise it")


async def test_its_merge_can_be_fetched_and_is_what_the_target_becomes(
    host: GitHost, git: Git
) -> None:
    head = await filled(host, git)
    await git("push", "-q", "-o", "change-request", "origin", "feature")
    await git("fetch", "-q", "origin", "refs/changes/1/merge:m", "refs/changes/1/head:h")
    assert await git("rev-parse", "h") == head
    parents = await git("rev-parse", "m^1", "m^2")
    assert parents.split() == [await git("rev-parse", "main"), head]
    assert await git("ls-tree", "--name-only", "m") == "a\nb"
    assert await git("fsck", "--full") == ""


async def test_a_later_push_needs_no_option_and_the_merge_arrives(host: GitHost, git: Git) -> None:
    await filled(host, git)
    await git("push", "-q", "-o", "change-request", "origin", "feature")
    head = await git.commit("fix: third", {"c": "3"})
    await git("push", "-q", "origin", "feature")
    await deliver(host)
    assert [each.head for each in host.tests.begun] == [head]
    await host.tests.end(host.changes.course)
    made = await change(host)
    assert made is not None
    await host.changes.course.merge(made.id, SYSTEM, "ada", Method.SQUASH)
    await git("fetch", "-q", "origin", "main")
    assert await git("ls-tree", "--name-only", "FETCH_HEAD") == "a\nb\nc"
    done = await change(host)
    assert done is not None
    assert done.state is ChangeState.MERGED


async def test_a_push_succeeds_though_its_change_request_cannot_be(host: GitHost, git: Git) -> None:
    await filled(host, git)
    said = await git("push", "-o", "change-request", "-o", "target=gone", "origin", "feature")
    assert "remote: No change request: tide/app has no branch 'gone'" in said
    assert "feature -> feature" in said
    assert await change(host) is None


async def test_refs_of_change_requests_are_fairway_s_own(host: GitHost, git: Git) -> None:
    await filled(host, git)
    said = await git("push", "origin", "feature:refs/changes/1/merge", ok=False)
    assert "refs/changes/1/merge is Fairway's own" in said
