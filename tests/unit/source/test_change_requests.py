"""Change requests: opened, tested on what the target becomes, merged when nothing is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.git.writing import Method
from fairway.model.change_request import ChangeState, Check
from fairway.model.errors import Conflict, FairwayError, Forbidden, NotFound, Unavailable
from fairway.model.events import RefUpdated
from fairway.model.repository import RefRule
from fairway.model.scope import SYSTEM
from fairway.source.change_requests import Wanted
from fairway.store import audit
from fairway.store.database import Database
from fairway.testing.changeplace import SLUG, ChangePlace


@pytest.fixture(params=["simulated", "real"])
async def place(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> ChangePlace:
    root = tmp_path / "git" if request.param == "real" else None
    return await ChangePlace(database, root).begin()


async def code_of(work: object) -> str:
    with pytest.raises(FairwayError) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def test_it_is_tested_on_the_commit_that_the_target_would_become(place: ChangePlace) -> None:
    change = await place.open()
    assert (change.number, change.title, change.target) == (1, "feat: raise a", "main")
    await place.settle()
    (tested,) = place.tests.begun
    assert tested.merge == change.merge == await place.writes.ref(place.number, change.ref)
    assert await place.writes.ref(place.number, change.head_ref) == await place.tip("feature")
    for tip in ("main", "feature"):
        assert await place.writes.contains(place.number, change.merge, await place.tip(tip))
    now = await place.now()
    assert (now.check, now.build) == (Check.PENDING, 1)
    await place.tests.end(place.course)
    assert (await place.now()).check is Check.PASSED


@pytest.mark.parametrize("method", list(Method))
async def test_a_green_one_becomes_its_target_s_tip(place: ChangePlace, method: Method) -> None:
    await place.open(title="feat: raise a", description="Because.")
    await place.settle()
    assert await code_of(place.merge()) == "change-request-pending"
    event = await place.tests.end(place.course)
    merged = await place.merge(method)
    assert (merged.state, merged.merged_by) == (ChangeState.MERGED, "wim")
    assert merged.merged == await place.tip()
    arrived = await place.writes.contains(place.number, await place.tip(), merged.head)
    assert arrived is (method is Method.MERGE)
    title = await place.writes.title(place.number, await place.tip())
    told = {Method.MERGE: "Merge change request #1: feat: raise a",
            Method.SQUASH: "feat: raise a (#1)"}  # fmt: skip
    assert title == told[method]
    moved = [each for each in await place.events() if isinstance(each, RefUpdated)][-1]
    assert (moved.ref, moved.after, moved.actor) == ("refs/heads/main", merged.merged, "wim")
    await place.settle()
    await place.course.judge(event, "again")
    assert (await place.actions()).count("merged") == 1
    assert await code_of(place.merge()) == "change-request-merged"


async def test_later_pushes_of_its_branch_are_tested_anew(place: ChangePlace) -> None:
    first = await place.open()
    await place.settle()
    await place.tests.end(place.course)
    await place.push("feature", {"a": b"3"})
    await place.settle()
    assert [each.head for each in place.tests.begun] == [first.head, await place.tip("feature")]
    assert await code_of(place.merge()) == "change-request-pending"
    await place.tests.end(place.course, "failed")
    assert await code_of(place.merge()) == "change-request-not-green"


async def test_a_result_of_a_former_merge_does_not_count(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    old = place.tests.begun[-1]
    await place.push("feature", {"a": b"3"})
    await place.settle()
    place.tests.begun.append(old)
    await place.tests.end(place.course, number=1)
    assert (await place.now()).check is Check.PENDING


async def test_a_retry_of_its_build_counts_instead(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    await place.tests.end(place.course, "failed")
    await place.tests.end(place.course, "passed", number=2)
    await place.tests.end(place.course, "failed", number=1)
    now = await place.now()
    assert (now.check, now.build) == (Check.PASSED, 2)


async def test_a_result_that_came_before_its_build_was_noted_is_kept(place: ChangePlace) -> None:
    await place.open()
    change = await place.now()
    assert await place.tests.begin(change) == 1
    await place.tests.end(place.course)
    await place.settle()
    assert (await place.now()).check is Check.PASSED
    assert len(place.tests.begun) == 1


async def test_when_the_target_has_moved_it_is_tested_there_before_it_is_merged(
    place: ChangePlace,
) -> None:
    await place.open()
    await place.settle()
    await place.tests.end(place.course)
    await place.push("main", {"b": b"9"})
    await place.settle()
    assert len(place.tests.begun) == 1, "nobody waits for it yet"
    assert await code_of(place.merge()) == "change-request-stale"
    await place.settle()
    assert len(place.tests.begun) == 2
    assert await code_of(place.merge()) == "change-request-pending"
    await place.tests.end(place.course)
    assert (await place.merge()).state is ChangeState.MERGED


async def test_a_target_that_moved_a_moment_ago_is_seen(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    await place.tests.end(place.course)
    await place.push("main", {"b": b"9"})
    assert await code_of(place.merge()) == "change-request-stale"
    await place.settle()
    assert len(place.tests.begun) == 2


async def test_when_green_it_is_merged_by_itself_also_after_the_target_moved(
    place: ChangePlace,
) -> None:
    await place.open()
    await place.settle()
    queued = await place.merge(Method.SQUASH, green=True)
    assert (queued.state, queued.when_green) == (ChangeState.OPEN, "squash")
    await place.push("main", {"b": b"9"})
    await place.settle()
    await place.tests.end(place.course)
    merged = await place.now()
    assert (merged.state, merged.merged_by) == (ChangeState.MERGED, "wim")
    assert len(place.tests.begun) == 2
    assert "queued" in await place.actions()


async def test_a_red_one_is_not_merged_and_says_why_until_a_push_makes_it_green(
    place: ChangePlace,
) -> None:
    await place.open()
    await place.settle()
    await place.merge(green=True)
    await place.tests.end(place.course, "failed")
    now = await place.now()
    assert (now.state, now.reason) == (ChangeState.OPEN, "not merged: build #1 failed")
    await place.push("feature", {"a": b"3"})
    await place.settle()
    await place.tests.end(place.course)
    assert (await place.now()).state is ChangeState.MERGED


async def test_who_asked_must_still_have_the_right_when_it_becomes_green(
    place: ChangePlace,
) -> None:
    await place.open()
    await place.settle()
    await place.merge(green=True)
    await place.set(branches=[RefRule(pattern="main", push="maintainer")])
    await place.tests.end(place.course)
    now = await place.now()
    assert now.state is ChangeState.OPEN
    assert "only a maintainer may merge" in now.reason


async def test_conflicts_are_said_and_go_away_with_them(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    await place.push("main", {"a": b"7"})
    await place.settle()
    change = await place.now()
    assert (change.conflicts, change.merge) == (["a"], "")
    assert await place.writes.ref(place.number, change.ref) == ""
    assert await code_of(place.merge(green=True)) == "change-request-conflicts"
    await place.push("main", {"a": b"1"})
    await place.settle()
    assert (await place.now()).conflicts == []
    assert len(place.tests.begun) == 2


@pytest.mark.parametrize(
    ("rule", "login", "merges"),
    [
        (RefRule(pattern="main", push="nobody", merge="writer"), "wim", True),
        (RefRule(pattern="main", push="nobody"), "max", False),
        (RefRule(pattern="main", push="maintainer"), "wim", False),
        (RefRule(pattern="main", push="maintainer"), "max", True),
        (RefRule(pattern="release/*", push="nobody"), "wim", True),
    ],
)
async def test_protected_branches_are_respected(
    place: ChangePlace, rule: RefRule, login: str, *, merges: bool
) -> None:
    await place.set(branches=[rule])
    await place.open()
    await place.settle()
    await place.tests.end(place.course)
    who = await place.people.identity(login)
    if merges:
        assert (await place.merge(who=who)).state is ChangeState.MERGED
    else:
        assert await code_of(place.merge(who=who)) == "change-request-protected"


async def test_without_a_pipeline_for_it_there_is_nothing_to_wait_for(place: ChangePlace) -> None:
    place.tests.none = True
    await place.open()
    await place.merge(green=True)
    await place.settle()
    assert (await place.now()).state is ChangeState.MERGED


async def test_a_required_check_must_have_run(place: ChangePlace) -> None:
    place.tests.none = True
    await place.set(required_checks=["unit"])
    await place.open()
    await place.settle()
    assert await code_of(place.merge()) == "change-request-not-green"


async def test_a_reader_may_look_and_no_more(place: ChangePlace) -> None:
    await place.open()
    rea = await place.people.identity("rea")
    shown = await place.changes.shown(rea, SLUG, 1)
    assert shown.change.number == 1
    for work in (
        place.changes.open(rea, SLUG, Wanted(source="feature")),
        place.changes.close(rea, SLUG, 1),
        place.changes.merge(rea, SLUG, 1, method=Method.MERGE, when_green=True),
    ):
        with pytest.raises(Forbidden):
            await work
    non = await place.people.identity("non")
    with pytest.raises(NotFound):
        await place.changes.shown(non, SLUG, 1)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Wanted(source="nowhere"), "no-branch"),
        (Wanted(source="feature", target="nowhere"), "no-branch"),
        (Wanted(source="main"), "bad-change-request"),
        (Wanted(source="feature", title="a\nb"), "bad-change-request"),
        (Wanted(source="feature", title="x" * 301), "bad-change-request"),
        (Wanted(source="old"), "change-request-empty"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    place: ChangePlace, wanted: Wanted, code: str
) -> None:
    base = await place.tip()
    await place.writer.move(place.number, "refs/heads/old", base, expected="", actor="wim")
    assert await code_of(place.changes.open(place.who, SLUG, wanted)) == code


async def test_the_same_again_is_the_same_one(place: ChangePlace) -> None:
    assert (await place.open()).number == (await place.open(title="other")).number == 1
    assert [each.change.number for each in await _all(place)] == [1]


async def _all(place: ChangePlace, state: str = "all") -> list[object]:
    return list(await place.changes.listing(place.who, SLUG, state=state, before=None, limit=10))


async def test_it_can_be_closed_and_opened_again_where_its_branch_is_then(
    place: ChangePlace,
) -> None:
    await place.open()
    await place.settle()
    closed = (await place.changes.close(place.who, SLUG, 1, reason="not now")).change
    assert (closed.state, closed.reason) == (ChangeState.CLOSED, "not now")
    assert await code_of(place.merge()) == "change-request-closed"
    await place.push("feature", {"a": b"3"})
    await place.settle()
    assert len(place.tests.begun) == 1
    again = (await place.changes.reopen(place.who, SLUG, 1)).change
    assert (again.state, again.head) == (ChangeState.OPEN, await place.tip("feature"))
    await place.settle()
    assert len(place.tests.begun) == 2
    assert await code_of(place.changes.reopen(place.who, SLUG, 1)) == "change-request-open"


async def test_it_ends_when_its_branch_goes_or_has_arrived_otherwise(place: ChangePlace) -> None:
    await place.open()
    head = await place.tip("feature")
    await place.writer.move(place.number, "refs/heads/feature", "", expected=head, actor="wim")
    await place.settle()
    assert (await place.now()).reason == "the branch feature is gone"
    await place.writer.move(place.number, "refs/heads/feature", head, expected="", actor="wim")
    assert (await place.open()).number == 2
    await place.settle()
    base = await place.tip()
    await place.writer.move(place.number, "refs/heads/main", head, expected=base, actor="max")
    await place.settle()
    arrived = await place.now(2)
    assert (arrived.state, arrived.merged_by) == (ChangeState.MERGED, "max")


async def test_a_crash_after_the_target_moved_ends_as_merged(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    await place.tests.end(place.course)
    move = place.writer.move

    async def dies(number: int, ref: str, sha: str, *, expected: str, actor: str) -> None:
        await move(number, ref, sha, expected=expected, actor=actor)
        raise Unavailable("power went", code="crash")

    place.writer.move = dies  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await place.merge(Method.SQUASH)
    assert (await place.now()).state is ChangeState.OPEN
    await place.settle()
    now = await place.now()
    assert (now.state, now.merged, now.merged_by) == (ChangeState.MERGED, await place.tip(), "wim")


async def test_who_is_faster_wins_and_the_other_is_tested_anew(place: ChangePlace) -> None:
    await place.open()
    await place.settle()
    await place.tests.end(place.course)
    move = place.writer.move
    raced: list[str] = []

    async def late(number: int, ref: str, sha: str, *, expected: str, actor: str) -> None:
        if not raced:
            raced.append(sha)
            await place.push("main", {"b": b"9"})
        await move(number, ref, sha, expected=expected, actor=actor)

    place.writer.move = late  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await place.merge()
    await place.settle()
    assert len(place.tests.begun) == 2
    assert not await place.writes.contains(place.number, await place.tip(), raced[0])
    await place.tests.end(place.course)
    assert (await place.merge()).state is ChangeState.MERGED


async def test_what_a_push_says_is_answered_in_words(place: ChangePlace) -> None:
    options = ["change-request", "title=Raise it", "target=main"]
    said = await place.changes.pushed(place.who, SLUG, ["feature"], options)
    assert said[0] == "Change request #1: Raise it (feature -> main)"
    assert said[1] == "  http://f.test/api/v1/repos/tide/app/changes/1"
    assert await place.changes.pushed(place.who, SLUG, ["feature"], []) == []
    for branches, words, told in (
        (["main"], ["change-request"], "cannot be merged into itself"),
        ([], ["change-request"], "no branch was pushed"),
        (["feature"], ["change-request=7"], "takes no value"),
        (["feature"], ["change-request", "target=gone"], "has no branch 'gone'"),
    ):
        said = await place.changes.pushed(place.who, SLUG, branches, words)
        assert said[0].startswith("No change request: ")
        assert told in said[0]


async def test_what_a_person_did_is_in_the_audit(place: ChangePlace) -> None:
    await place.open()
    await place.changes.close(place.who, SLUG, 1)
    await place.changes.reopen(place.who, SLUG, 1)
    await place.settle()
    await place.tests.end(place.course)
    await place.merge()
    found = await place.database.read(audit.listing, SYSTEM)
    told = [(each.actor, each.action) for each in reversed(found)]
    asked = [each for each in told if each[1].startswith("change-request")]
    assert asked == [
        ("wim", f"change-request.{word}") for word in ("opened", "closed", "reopened", "merged")
    ]
