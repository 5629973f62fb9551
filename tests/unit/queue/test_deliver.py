"""The delivery of events: in order for each subject, at least once, parked after ten tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairway.kit import clock
from fairway.kit.aio import Wake, background
from fairway.model.events import CronDue, Event
from fairway.queue.deliver import Deliverer
from fairway.store import outbox
from fairway.store.database import Database


@pytest.fixture
def at() -> Iterator[list[float]]:
    moment = [1_000_000.0]
    former = clock.use(lambda: moment[0])
    yield moment
    clock.use(former)


def due(repository: int, cron: str) -> CronDue:
    return CronDue(repository=repository, slug="a/b", cron=cron, branch="main", at=0)


def write(database: Database, *events: Event) -> None:
    for event in events:
        database.write_now(outbox.append, event)


class Handler:
    """Notes what it takes; fails while `failing` holds the name."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.failing: set[str] = set()

    async def __call__(self, event: Event, key: str) -> None:
        assert isinstance(event, CronDue)
        assert key.startswith("event/")
        if event.cron in self.failing:
            raise ValueError(f"no {event.cron}")
        self.taken.append(event.cron)


@pytest.fixture
def handler() -> Handler:
    outbox.subscribe([("h", ["cron-due"])])
    return Handler()


async def test_events_of_one_subject_come_in_order(database: Database, handler: Handler) -> None:
    write(database, due(1, "a"), due(1, "b"), due(2, "c"), due(1, "d"))
    deliverer = Deliverer(database, {"h": handler}, wake=Wake())
    rounds = 0
    while await deliverer.round():
        rounds += 1
    assert sorted(handler.taken) == ["a", "b", "c", "d"]
    assert [name for name in handler.taken if name != "c"] == ["a", "b", "d"]
    assert rounds == 3


async def test_a_failing_event_holds_up_its_subject_until_it_is_parked(
    database: Database, handler: Handler, at: list[float]
) -> None:
    write(database, due(1, "a"), due(1, "b"), due(2, "c"))
    handler.failing = {"a"}
    deliverer = Deliverer(database, {"h": handler}, wake=Wake())
    for _ in range(outbox.TRIES):
        assert "b" not in handler.taken
        await deliverer.round()
        at[0] += 61
    await deliverer.round()
    assert handler.taken == ["c", "b"]
    parked = database.read_now(outbox.parked)
    assert [(row["error"], row["tries"]) for row in parked] == [("no a", outbox.TRIES)]
    handler.failing = set()
    assert database.write_now(outbox.replay, parked[0]["id"])
    await deliverer.round()
    assert handler.taken == ["c", "b", "a"]


async def test_a_hint_wakes_the_deliverer(database: Database, handler: Handler) -> None:
    wake, done = Wake(), Wake()

    async def taken(event: Event, key: str) -> None:
        await handler(event, key)
        done.set()

    deliverer = Deliverer(database, {"h": taken}, wake=wake)
    async with background(deliverer.run()):
        write(database, due(1, "a"))
        wake.set()
        assert await done.wait(5)
    assert handler.taken == ["a"]
