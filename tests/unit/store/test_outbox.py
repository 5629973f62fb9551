"""Events, and who has still to take them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from fairway.kit import clock
from fairway.model.events import BuildCreated
from fairway.store import outbox
from fairway.store.database import Database


def created(build: int, number: int = 1) -> BuildCreated:
    return BuildCreated(repository=1, slug="a/b", build=build, number=number, status="pending")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    outbox.subscribe([("judge", ["build-created"]), ("tell", ["build-created"])])
    yield
    outbox.subscribe([])


@pytest.fixture
def time() -> Iterator[list[float]]:
    at = [1_000.0]
    former = clock.use(lambda: at[0])
    yield at
    clock.use(former)


def numbers(database: Database, handler: str) -> list[tuple[int, int]]:
    rows = database.read_now(outbox.due, [handler])
    return [(row.event.build, row.event.number) for row in rows]  # type: ignore[attr-defined]


def test_every_handler_gets_its_own_copy(database: Database) -> None:
    database.write_now(outbox.append, created(1))
    (mine,) = database.read_now(outbox.due, ["judge"])
    database.write_now(outbox.taken, mine)
    assert numbers(database, "judge") == []
    assert numbers(database, "tell") == [(1, 1)]


def test_a_key_makes_an_event_unique(database: Database) -> None:
    first = database.write_now(outbox.append, created(1), key="push/1")
    second = database.write_now(outbox.append, created(1), key="push/1")
    assert first is not None
    assert second is None
    assert numbers(database, "judge") == [(1, 1)]


def test_a_failed_transaction_leaves_no_event(database: Database) -> None:
    def both(db: object) -> None:
        outbox.append(db, created(1))  # type: ignore[arg-type]
        raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        database.write_now(both)
    assert numbers(database, "judge") == []


def test_one_subject_is_handed_out_in_order_and_others_beside_it(database: Database) -> None:
    for build, number in ((1, 1), (1, 2), (2, 1)):
        database.write_now(outbox.append, created(build, number))
    assert numbers(database, "judge") == [(1, 1), (2, 1)]


def test_a_failing_event_holds_its_subject_back_until_it_is_parked(
    database: Database, time: list[float]
) -> None:
    database.write_now(outbox.append, created(1, 1))
    database.write_now(outbox.append, created(1, 2))
    for attempt in range(1, outbox.TRIES + 1):
        (pending,) = database.read_now(outbox.due, ["judge"])
        parked = database.write_now(outbox.failed, pending, "it broke")
        assert parked is (attempt == outbox.TRIES)
        if not parked:
            assert numbers(database, "judge") == []
        time[0] += 61
    assert numbers(database, "judge") == [(1, 2)]


def test_a_parked_event_is_shown_and_can_be_replayed(database: Database, time: list[float]) -> None:
    database.write_now(outbox.append, created(1))
    for _ in range(outbox.TRIES):
        (pending,) = database.read_now(outbox.due, ["judge"])
        database.write_now(outbox.failed, pending, "it broke")
        time[0] += 61
    (row,) = database.read_now(outbox.parked)
    assert row["error"] == "it broke"
    assert database.write_now(outbox.replay, row["id"]) is True
    assert database.write_now(outbox.replay, row["id"]) is False
    assert numbers(database, "judge") == [(1, 1)]


def test_only_events_that_nobody_waits_for_are_forgotten(database: Database) -> None:
    database.write_now(outbox.append, created(1))
    assert database.write_now(outbox.forget, clock.now() + 1) == 0
    for handler in ("judge", "tell"):
        (pending,) = database.read_now(outbox.due, [handler])
        database.write_now(outbox.taken, pending)
    assert database.write_now(outbox.forget, clock.now() + 1) == 1


def test_a_stream_reads_on_from_where_it_was(database: Database) -> None:
    database.write_now(outbox.append, created(1, 1))
    seen = database.read_now(outbox.last)
    database.write_now(outbox.append, created(1, 2))
    ((_, _, event),) = database.read_now(outbox.since, seen)
    assert event == created(1, 2)


async def test_writing_an_event_rings_and_other_writes_do_not(database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        rung = group.create_task(database.events.wait(90))
        await asyncio.sleep(0)
        await database.write(outbox.append, created(1))
    assert rung.result()
    async with asyncio.TaskGroup() as group:
        silent = group.create_task(database.events.wait(0.01))
        await asyncio.sleep(0)
        await database.write(outbox.last)
    assert not silent.result()
