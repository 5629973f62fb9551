"""The janitor's rounds: what it ends, what it removes, what it holds back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert

from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.status import Status
from fairway.model.step import Log
from fairway.pipeline.brakes import brakes_of
from fairway.pipeline.dispatch import LEASE_SECONDS
from fairway.pipeline.janitor import Janitor
from fairway.pipeline.logs import key_of
from fairway.pipeline.retention import Limits, builds_before, events_before, logs_to_remove
from fairway.store import builds, lease, logs
from fairway.store.schema import ref

DAY = 24 * 3600 * 1000
FILE = """
kind: pipeline
type: docker
name: default
steps:
- {name: test, image: busybox, commands: ["true"]}
"""


class Disk:
    """Says what a test wants."""

    def __init__(self, free: int | None) -> None:
        self.room = free

    async def free(self) -> int | None:
        return self.room


@pytest.fixture
def at() -> Iterator[list[float]]:
    """A time of day that a test moves, in seconds."""
    moment = [1_000_000.0]
    former = clock.use(lambda: moment[0])
    yield moment
    clock.use(former)


def janitor(chapter: Any, disk: Disk | None = None, **limits: Any) -> Janitor:
    return Janitor(
        chapter.database,
        chapter.logs,
        disk or Disk(None),
        holder="me",
        limits=Limits(**limits),
        wake=Wake(),
    )


async def test_a_silent_runners_stage_is_queued_but_not_right_after_our_own_start(
    chapter: Any, at: list[float]
) -> None:
    await chapter.push(FILE)
    await chapter.lease()
    at[0] += 10
    mine = janitor(chapter)
    await mine.round()
    assert (await chapter.stages(1))[0].status is Status.RUNNING
    at[0] += 9.1
    await mine.round()
    stage = (await chapter.stages(1))[0]
    assert stage.status is Status.PENDING
    assert "alice went silent; attempt 2" in stage.reason


async def test_a_late_build_is_ended(chapter: Any, at: list[float]) -> None:
    await chapter.set(timeout_s=60)
    await chapter.push(FILE)
    lease = await chapter.lease()
    at[0] += 61
    await janitor(chapter).round()
    orders = await chapter.dispatch.renew(lease.stage, lease.token)
    assert orders.stop
    await chapter.finish(lease, Status.CANCELLED)
    assert (await chapter.build(1)).status is Status.FAILED


async def test_new_work_waits_while_the_disk_is_full(chapter: Any) -> None:
    disk = Disk(10)
    mine = janitor(chapter, disk, free_space_bytes=100)
    await mine.round()
    assert (await chapter.database.read(brakes_of)).disk_low
    disk.room = 1000
    mine._next.clear()
    await mine.round()
    assert not (await chapter.database.read(brakes_of)).disk_low


async def test_old_logs_are_removed(chapter: Any, at: list[float]) -> None:
    await chapter.push(FILE)
    lease = await chapter.lease()
    step = (await chapter.steps(1))[0]
    await chapter.logs.append(step.id, 1, offset=0, raw=4, data=b"one\n")
    await chapter.run(lease)
    at[0] += 91 * DAY / 1000
    await janitor(chapter, logs_days=90).round()
    assert await chapter.database.read(logs.kept) == []


async def test_old_builds_go_with_their_logs_but_never_a_branchs_last_one(
    chapter: Any, at: list[float]
) -> None:
    for _ in range(2):
        await chapter.push(FILE)
        lease = await chapter.lease()
        step = (await chapter.steps(lease.build))[0]
        await chapter.logs.append(step.id, 1, offset=0, raw=4, data=b"one\n")
        await chapter.run(lease)
    first = (await chapter.steps(1))[0]
    main = insert(ref).values(repository=chapter.repository, name="refs/heads/main", sha="1" * 40)
    await chapter.database.write(lambda db: db.execute(main))
    at[0] += 31 * DAY / 1000
    await janitor(chapter, logs_days=0, builds_days=0, builds_count=0).round()
    assert (await chapter.build(1)).number == 1
    await janitor(chapter, logs_days=0, builds_days=30).round()
    assert await chapter.database.read(builds.by_number, chapter.repository, 1) is None
    assert not await chapter.logs._store.delete(key_of(first.id, 1))  # nothing is left of it
    assert (await chapter.build(2)).number == 2
    assert [build for _, build in await chapter.database.read(logs.kept)] == [2]


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({"logs_days": 0, "logs_bytes": 0}, []),
        ({"logs_days": 5, "logs_bytes": 0}, [1, 2]),
        ({"logs_days": 0, "logs_bytes": 30}, [1]),
        ({"logs_days": 0, "logs_bytes": 1}, [1, 2, 3, 4]),
        ({"logs_days": 8.5, "logs_bytes": 20}, [1, 2]),
    ],
)
def test_retention_takes_the_eldest_first(limits: dict[str, float], gone: list[int]) -> None:
    now = 100 * DAY
    ages = {1: 9, 2: 8, 3: 2, 4: 1}
    kept = [
        Log(id=number, step=number, size=10, created=now - age * DAY)
        for number, age in ages.items()
    ]
    found = logs_to_remove(kept, Limits(**limits), now)  # type: ignore[arg-type]
    assert [log.id for log in found] == gone


def test_builds_are_kept_for_their_days() -> None:
    assert builds_before(Limits(builds_days=365), 400 * DAY) == 35 * DAY
    assert builds_before(Limits(builds_days=0), 400 * DAY) == 0


def test_events_are_kept_for_their_days() -> None:
    assert events_before(Limits(events_days=30), 100 * DAY) == 70 * DAY
    assert events_before(Limits(events_days=0), 100 * DAY) == 0


async def test_the_lease_is_renewed_well_before_it_ends_and_not_with_every_round(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    at, renewed = [0.0], list[float]()
    monkeypatch.setattr(loop, "time", lambda: at[0])

    def acquire(_db: Any, _name: str, _holder: str, _seconds: float) -> bool:
        renewed.append(at[0])
        return at[0] < 20

    monkeypatch.setattr(lease, "acquire", acquire)
    kept = janitor(chapter)
    held = []
    for second in range(1, 31):
        at[0] = float(second)
        held.append(await kept._hold())
    gaps = [later - sooner for sooner, later in pairwise(renewed) if later <= 20]
    assert 2 <= min(gaps) <= max(gaps) < LEASE_SECONDS - 5
    assert held[:19] == [True] * 19
    assert not any(held[24:])
