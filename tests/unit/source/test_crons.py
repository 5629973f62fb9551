"""Cron jobs: exact minutes, zones, what was missed, and each minute once."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator

import pytest

from fairway.access.identity import SYSTEM
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.cron import Cron, Missed
from fairway.model.errors import Forbidden, InvalidInput, NotFound
from fairway.model.events import CronDue
from fairway.source.crons import (
    BOUND,
    NEVER,
    CronChange,
    CronController,
    Crons,
    decide,
    minutes,
)
from fairway.store import outbox
from fairway.store import repositories as repository_rows
from fairway.store.database import Database
from fairway.testing.people import People

MINUTE = 60_000


def at(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text + "Z").timestamp() * 1000)


def job(**values: object) -> Cron:
    given = {"id": 1, "repository": 1, "name": "nightly", "expression": "*/10 * * * *", **values}
    return Cron(**given)  # type: ignore[arg-type]


@pytest.fixture
def wall() -> Iterator[Callable[[int], None]]:
    """Sets the time of day."""
    state = {"now": at("2026-03-01T00:00:00")}
    former = clock.use(lambda: state["now"] / 1000)
    yield lambda now: state.update(now=now)
    clock.use(former)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("30 4 * * *", "UTC", "2026-01-01T00:00", ["2026-01-01T04:30", "2026-01-02T04:30"]),
        ("30 4 * * *", "Europe/Berlin", "2026-01-01T00:00", ["2026-01-01T03:30"]),
        ("30 4 * * *", "Europe/Berlin", "2026-07-01T00:00", ["2026-07-01T02:30"]),
        ("@hourly", "Asia/Kolkata", "2026-01-01T00:00", ["2026-01-01T00:30"]),
        ("0 0 12 ? * 1", "UTC", "2026-01-01T00:00", ["2026-01-05T12:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00"]),
        # the hour that spring takes: once, at the minute after the gap; autumn's twice-hour: once
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", ["2026-03-29T01:00"]),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-26T01:30"],
        ),
    ],
)
def test_minutes_are_those_of_the_zone(
    expression: str, zone: str, after: str, expected: list[str]
) -> None:
    found = itertools.islice(minutes(expression, zone, at(after)), len(expected))
    assert list(found) == [at(text) for text in expected]


@pytest.mark.parametrize(
    "expression", ["", "x", "* * * *", "61 * * * *", "* * * * * * *", "*/5 * * * * *", "@reboot"]
)
def test_a_broken_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        next(minutes(expression, "UTC", 0))
    assert caught.value.code == "bad-cron"


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "/etc/localtime", ""])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        next(minutes("@daily", zone, 0))
    assert caught.value.code == "bad-timezone"


NOON = at("2026-01-01T12:00")


@pytest.mark.parametrize(
    ("missed", "late", "expected"),
    [
        (Missed.ONCE, 0, [0]),
        (Missed.ONCE, 5, [0]),
        (Missed.ONCE, 35, [30]),
        (Missed.SKIP, 0, [0]),
        (Missed.SKIP, 1, [0]),
        (Missed.SKIP, 35, []),
        (Missed.SKIP, 31, [30]),
        (Missed.ALL, 0, [0]),
        (Missed.ALL, 35, [0, 10, 20, 30]),
    ],
)
def test_the_policy_says_what_becomes_of_missed_minutes(
    missed: Missed, late: int, expected: list[int]
) -> None:
    found = decide(job(missed=missed, next_at=NOON), NOON + late * MINUTE)
    assert found.minutes == [NOON + each * MINUTE for each in expected]
    assert found.next_at == NOON + (late // 10 + 1) * 10 * MINUTE


def test_a_job_is_not_due_before_its_minute() -> None:
    assert decide(job(next_at=NOON), NOON - 1).minutes == []
    assert decide(job(next_at=NOON), NOON).minutes == [NOON]


def test_all_makes_up_for_a_bounded_number_of_minutes() -> None:
    found = decide(job(missed=Missed.ALL, next_at=NOON), NOON + 10_000 * MINUTE)
    assert len(found.minutes) == BOUND
    assert found.minutes[-1] == NOON + 10_000 * MINUTE


def test_years_of_missed_minutes_are_decided_at_once() -> None:
    now = NOON + 5 * 366 * 24 * 60 * MINUTE
    found = decide(job(expression="* * * * *", missed=Missed.ONCE, next_at=NOON), now)
    assert len(found.minutes) == 1
    assert found.next_at == now + MINUTE


def test_an_expression_without_another_minute_never_comes_again() -> None:
    assert decide(job(expression="0 12 1 1 *", next_at=NOON), NOON).next_at < NEVER


class Place:
    """A controller on a database with one repository."""

    def __init__(self, database: Database) -> None:
        self.people = People(database)
        self.database = database
        self.crons = Crons(database, Wake())
        self.controller = CronController(database, wake=Wake(), announced=Wake())

    async def fired(self) -> list[tuple[str, str, int]]:
        found = await self.database.read(outbox.since, 0)
        return [
            (event.cron, event.branch, event.at)
            for _, _, event in found
            if isinstance(event, CronDue)
        ]


@pytest.fixture
def place(database: Database, wall: object) -> Place:
    return Place(database)


async def test_each_minute_fires_once(place: Place, wall: Callable[[int], None]) -> None:
    start = at("2026-03-01T00:00:00")
    await place.crons.put(SYSTEM, "tide/app", "often", CronChange(expression="*/10 * * * *"))
    assert await place.controller.once() == 30.0
    other = CronController(place.database, wake=Wake(), announced=Wake())
    for minute in range(0, 31, 5):
        wall(start + minute * MINUTE)
        await place.controller.once()
        await other.once()
    expected = [("often", "main", start + each * MINUTE) for each in (10, 20, 30)]
    assert await place.fired() == expected


async def test_the_wait_ends_with_the_next_minute(
    place: Place, wall: Callable[[int], None]
) -> None:
    await place.crons.put(SYSTEM, "tide/app", "a", CronChange(expression="* * * * *"))
    wall(at("2026-03-01T00:00:50"))
    assert 10 <= await place.controller.once() < 10.1


async def test_a_job_of_an_inactive_repository_rests(
    place: Place, wall: Callable[[int], None]
) -> None:
    await place.crons.put(SYSTEM, "tide/app", "a", CronChange(expression="* * * * *"))
    number = place.people.ids["tide/app"]
    await place.database.write(repository_rows.change, number, 0, {"active": False})
    wall(at("2026-03-01T01:00:00"))
    await place.controller.once()
    assert await place.fired() == []


async def test_a_job_is_changed_disabled_fired_and_removed(
    place: Place, wall: Callable[[int], None]
) -> None:
    crons = place.crons
    await crons.put(SYSTEM, "tide/app", "a", CronChange(expression="@daily", branch="dev"))
    made = await crons.put(SYSTEM, "tide/app", "a", CronChange(disabled=True))
    assert (made.expression, made.branch, made.disabled) == ("@daily", "dev", True)
    wall(at("2026-03-05T00:00:00"))
    await place.controller.once()
    assert await place.fired() == []
    await crons.fire(SYSTEM, "tide/app", "a")
    assert await place.fired() == [("a", "dev", at("2026-03-05T00:00:00"))]
    await crons.delete(SYSTEM, "tide/app", "a")
    assert await crons.listing(SYSTEM, "tide/app") == []
    with pytest.raises(NotFound):
        await crons.delete(SYSTEM, "tide/app", "a")


async def test_only_a_maintainer_sets_a_job(place: Place) -> None:
    writer = await place.people.identity("wim")
    with pytest.raises(Forbidden):
        await place.crons.put(writer, "tide/app", "a", CronChange(expression="@daily"))
    await place.crons.put(SYSTEM, "tide/app", "a", CronChange(expression="@daily"))
    assert [each.name for each in await place.crons.listing(writer, "tide/app")] == ["a"]
    await place.crons.fire(writer, "tide/app", "a")
