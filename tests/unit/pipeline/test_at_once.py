"""What is decided in one transaction holds when another has committed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from fairway.model.build import Retry, RetryScope
from fairway.model.errors import Conflict
from fairway.model.secret import Binding
from fairway.model.status import Status
from fairway.pipeline import leasing, making
from fairway.pipeline.dispatch import StageReport, StepReport
from fairway.store import builds, secrets, stages
from fairway.testing.together import together

FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: one, image: busybox, commands: ["true"]}
"""


@dataclass
class Insert:
    """How a build was inserted, to do so again."""

    repository: int
    draft: Any
    prepared: Any

    def again(self, db: Connection, key: str) -> Any:
        """Another one like it."""
        draft = replace(self.draft, key=key)
        return making.insert(db, self.repository, draft, self.prepared, reason="")


@pytest.fixture
def inserted(monkeypatch: pytest.MonkeyPatch) -> list[Insert]:
    """Each build that was inserted, in order."""
    found: list[Insert] = []
    insert = making.insert

    def noted(db: Connection, repository: int, draft: Any, prepared: Any, *, reason: str) -> Any:
        found.append(Insert(repository, draft, prepared))
        return insert(db, repository, draft, prepared, reason=reason)

    monkeypatch.setattr(making, "insert", noted)
    return found


async def test_who_loses_a_stage_at_this_moment_does_not_end_it(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()

    def taken_over(db: Connection) -> None:
        builds.locked(db, lease.build)
        stages.change(db, lease.stage, token=leasing.digest("another's"))

    report = StageReport(status=Status.PASSED)
    with pytest.raises(Conflict):
        together(
            chapter.database,
            taken_over,
            lambda db: leasing.finished(db, lease.stage, lease.token, report),
        )
    assert [one.status for one in await chapter.stages(1)] == [Status.RUNNING]


async def test_no_step_begins_in_a_stage_that_ends_at_this_moment(chapter: Any) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    begun = StepReport(number=1, status=Status.RUNNING)
    ended = StageReport(status=Status.ERRORED)
    _, orders = together(
        chapter.database,
        lambda db: leasing.finished(db, lease.stage, lease.token, ended),
        lambda db: leasing.step_reported(db, lease.stage, lease.token, begun),
    )
    assert orders.stop
    assert all(one.status.done for one in await chapter.steps(1))


async def test_a_build_that_begins_at_this_moment_may_go_on(
    chapter: Any, inserted: list[Insert]
) -> None:
    await chapter.set(settings={"auto_cancel_pushes": True, "auto_cancel_running": False})
    await chapter.push(FILE)
    first = await chapter.build(1)
    [stage] = await chapter.stages(1)

    def begun(db: Connection) -> None:
        builds.locked(db, first.id)
        stages.change(db, stage.id, status=Status.RUNNING)
        builds.change(db, first.id, status=Status.RUNNING)

    together(chapter.database, begun, lambda db: inserted[0].again(db, "next"))
    [stage] = await chapter.stages(1)
    assert (stage.status, stage.stop) == (Status.RUNNING, False)
    assert (await chapter.build(1)).verdict == ""


async def test_two_retries_at_once_do_not_share_a_workspace(
    chapter: Any, inserted: list[Insert]
) -> None:
    await chapter.push(FILE)
    await chapter.run(await chapter.lease(), Status.FAILED)
    asked = Retry(scope=RetryScope.FAILED)
    retry = replace(inserted[0].draft, parent=1, retry=asked)
    twice = Insert(chapter.repository, retry, inserted[0].prepared)
    with pytest.raises(Conflict) as caught:
        together(
            chapter.database,
            lambda db: twice.again(db, "first"),
            lambda db: twice.again(db, "second"),
        )
    assert caught.value.code == "retry-running"


async def test_a_secret_that_two_set_for_the_first_time_is_there_once(chapter: Any) -> None:
    def put(db: Connection) -> Any:
        where = {"organisation": None, "repository_id": chapter.repository}
        return secrets.put(db, "password", b"sealed", "k", binding=Binding(), **where)

    together(chapter.database, put, put)
    chapter.database.write_now(put)
    listed = chapter.database.read_now(secrets.listing, repository_id=chapter.repository)
    assert [one.name for one in listed] == ["password"]
