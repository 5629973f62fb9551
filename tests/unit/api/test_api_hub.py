"""One look at the outbox serves all streams, and no event is lost or told twice."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from fairway.api.hub import Hub
from fairway.model.events import BuildCreated
from fairway.store import outbox
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import event


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(sqlite_url(path), durable=False)
    yield database
    database.close()


def put(store: Database, number: int) -> None:
    """Write the event with this id, whatever ids there are."""
    what = BuildCreated(repository=1, slug="a/b", build=number, number=number, status="pending")

    def work(db: Connection) -> None:
        made = outbox.append(db, what)
        db.execute(event.update().where(event.c.id == made).values(id=number))

    store.write_now(work)


async def test_a_follower_hears_what_comes_and_not_what_was(store: Database) -> None:
    put(store, 1)
    follower = Hub(store).follow()
    await follower.begin()
    put(store, 2)
    put(store, 3)
    assert [one.id for one in await follower.next(5)] == [2, 3]
    assert await follower.next(0) == []


async def test_a_reader_that_comes_again_goes_on_after_its_last_event(store: Database) -> None:
    for number in range(1, 1203):
        put(store, number)
    follower = Hub(store).follow(2)
    found = []
    while len(found) < 1200:
        found += [one.id for one in await follower.next(5)]
    put(store, 1203)
    found += [one.id for one in await follower.next(5)]
    assert found == list(range(3, 1204))


async def test_a_lower_id_that_is_committed_later_is_not_lost(store: Database) -> None:
    store.sqlite = False  # as PostgreSQL hands ids out
    put(store, 10)
    hub = Hub(store)
    store.sqlite = True
    first, second = hub.follow(), hub.follow()
    await first.begin()
    await second.begin()
    put(store, 13)
    assert [one.id for one in await first.next(5)] == [13]
    put(store, 12)
    put(store, 14)
    assert sorted(one.id for one in await first.next(5)) == [12, 14]
    assert sorted(one.id for one in await second.next(5)) == [12, 13, 14]
    assert await second.next(0) == []
