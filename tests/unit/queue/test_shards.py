"""Shards: shared fairly, held by one at a time, and left before their leases run out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from fairway.kit import clock
from fairway.kit.aio import background
from fairway.model.errors import Unavailable
from fairway.queue import shards
from fairway.queue.shards import COUNT, LEASE_S, MARGIN_S, RENEW_S, ShardLost, Shards
from fairway.store import lease
from fairway.store.database import Database, sqlite_url
from fairway.store.lease import Row
from fairway.testing.virtual import VirtualLoop


def rows(held: dict[int, str], until: int = 2000) -> list[Row]:
    return [Row(f"shard/k/{shard}", holder, until) for shard, holder in held.items()]


def test_one_process_takes_everything() -> None:
    assert shards.decide([], "a", 1000).wanted == frozenset(range(COUNT))


def test_a_process_leaves_what_is_over_its_part_when_another_comes() -> None:
    found = rows(dict.fromkeys(range(COUNT), "a"))
    plan = shards.decide([*found, Row("shard/k/member/b", "b", 2000)], "a", 1000)
    assert len(plan.wanted) == len(plan.surplus) == COUNT // 2
    assert not plan.wanted & plan.surplus


def test_a_dead_processs_shards_are_taken() -> None:
    dead = rows(dict.fromkeys(range(COUNT), "a"), until=999)
    assert shards.decide(dead, "b", 1000).wanted == frozenset(range(COUNT))


@settings(max_examples=20)
@given(st.integers(1, 80), st.integers(0, 2**32))
def test_in_the_end_everybody_has_the_same_part(members: int, seed: int) -> None:
    choice = random.Random(seed)
    held: dict[int, str] = {}
    names = [f"m{number}" for number in range(members)]
    present = [Row(f"shard/k/member/{name}", name, 2000) for name in names]
    for _round in range(3):
        for name in choice.sample(names, members):
            plan = shards.decide(rows(held) + present, name, 1000)
            held = {shard: who for shard, who in held.items() if who != name}
            assert not plan.wanted & held.keys()  # nobody reaches for another's
            held |= dict.fromkeys(plan.wanted, name)
    counts = [list(held.values()).count(name) for name in names]
    assert len(held) == COUNT
    assert max(counts) <= max(1, -(-COUNT // members))


def test_a_key_belongs_to_the_same_shard_in_every_version() -> None:
    key = shards.key_of("home", "shop", "catalogue")
    assert (key, shards.shard_of(key)) == ("home/shop/catalogue", 1)


async def test_leases_are_held_by_one_and_given_back(database: Database) -> None:
    one, two = Shards(database, "k", "one"), Shards(database, "k", "two")
    gained: list[frozenset[int]] = []
    await one._round()
    one.on_gain(gained.append)
    assert gained == [frozenset(range(COUNT))]
    await two._round()
    assert not two.owned
    await one._round()
    await two._round()
    assert one.owned | two.owned == frozenset(range(COUNT))
    assert len(one.owned) == len(two.owned) == COUNT // 2
    await two._give_back()
    await one._round()
    assert len(one.owned) == COUNT
    assert len(gained[-1]) == COUNT // 2


async def test_a_renewal_writes_once(database: Database) -> None:
    one = Shards(database, "k", "one")
    await one._round()
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement.split(maxsplit=1)[0])

    event.listen(database.engine, "before_cursor_execute", note)
    await one._round()
    assert [each for each in seen if each != "BEGIN"] == ["SELECT", "UPDATE"]


async def test_work_on_a_shard_of_another_process_is_refused(database: Database) -> None:
    one = Shards(database, "k", "one")

    async def work() -> str:
        return "done"

    with pytest.raises(ShardLost), one.holding("c/n/a"):
        raise AssertionError
    assert await one.guarded("c/n/a", work) is None
    await one._round()
    assert await one.guarded("c/n/a", work) == "done"


async def test_a_members_lease_that_nobody_renews_is_removed(
    database: Database, times: list[float]
) -> None:
    await Shards(database, "k", "gone")._round()
    times[0] += 3700
    await Shards(database, "k", "here")._round()
    members = [
        row.holder for row in database.read_now(lease.beginning, "shard/k/") if "member" in row.name
    ]
    assert members == ["here"]


@pytest.fixture
def times() -> Iterator[list[float]]:
    moment = [1_000_000.0]
    former = clock.use(lambda: moment[0])
    yield moment
    clock.use(former)


# ---- in virtual time: the whole life of several processes ----------------------------------------


class Cut:
    """A database that a process cannot reach while `down`."""

    def __init__(self, database: Database) -> None:
        self.database, self.down = database, False

    async def write(self, work: Any, *args: Any) -> Any:
        if self.down:
            raise Unavailable("the database does not answer")
        return await self.database.write(work, *args)


class Worker:
    """A process: while it owns the key's shard it works on it, and says when."""

    def __init__(self, database: Database, name: str, log: list[tuple[str, str]]) -> None:
        self.cut = Cut(database)
        self.shards = Shards(self.cut, "k", name)  # type: ignore[arg-type]  # a narrower database
        self.name, self.log = name, log

    async def run(self) -> None:
        async with background(self.shards.run()):
            while True:
                await self.shards.guarded("c/n/a", self.work)
                await asyncio.sleep(0.1)

    async def work(self) -> None:
        self.log.append(("begins", self.name))
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(0.3)  # its end takes a while
            self.log.append(("ends", self.name))


def until_then(database: Path, seed: int, story: Any) -> list[tuple[str, str]]:
    opened = Database(sqlite_url(database), durable=False)
    loop = VirtualLoop(seed)
    former = clock.use(lambda: 1e6 + loop.time())
    log: list[tuple[str, str]] = []
    try:
        loop.run_until_complete(story(opened, log))
    finally:
        clock.use(former)
        loop.close()
        opened.close()
    return log


@pytest.mark.parametrize("seed", range(5))
def test_nobody_works_while_another_does(seed: int, sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(sqlite_template.read_bytes())
    choice = random.Random(seed)

    async def story(database: Database, log: list[tuple[str, str]]) -> None:
        workers = [Worker(database, name, log) for name in ("a", "b", "c")]
        async with background(*(worker.run() for worker in workers)):
            for _turn in range(12):
                await asyncio.sleep(choice.uniform(1, 25))
                worker = choice.choice(workers)
                worker.cut.down = not worker.cut.down
            for worker in workers:
                worker.cut.down = False
            await asyncio.sleep(3 * LEASE_S)
            owners = [worker for worker in workers if worker.shards.owns("c/n/a")]
            assert len(owners) == 1
            assert sum(len(worker.shards.owned) for worker in workers) == COUNT

    log = until_then(path, seed, story)
    working = None
    for what, who in log:
        assert working == (None if what == "begins" else who), log
        working = who if what == "begins" else None
    assert len(log) >= 4


def test_a_lost_shards_work_ends_before_its_lease(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(sqlite_template.read_bytes())

    async def story(database: Database, log: list[tuple[str, str]]) -> None:
        worker = Worker(database, "a", log)
        async with background(worker.run()):
            await asyncio.sleep(1)
            worker.cut.down = True
            await asyncio.sleep(LEASE_S - MARGIN_S - 1 + 0.5)
            assert log == [("begins", "a"), ("ends", "a")]
            assert not worker.shards.owned
            worker.cut.down = False
            await asyncio.sleep(RENEW_S + 0.2)
            assert log[-1] == ("begins", "a")

    until_then(path, 1, story)


def test_a_cancellation_from_outside_stays_one(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(sqlite_template.read_bytes())

    async def story(database: Database, log: list[tuple[str, str]]) -> None:
        worker = Worker(database, "a", log)
        await worker.shards._round()
        task = asyncio.ensure_future(worker.shards.guarded("c/n/a", worker.work))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == [("begins", "a"), ("ends", "a")]

    until_then(path, 1, story)
