"""The queue of keys, in virtual time: coalescing, order, backoff, delays, the end."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from fairway.kit.aio import background
from fairway.kube.workqueue import Pace, ShutDown, WorkQueue
from fairway.model.errors import Unavailable

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_key_that_waits_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    for key in "abaab":
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    assert not queue.idle
    queue.done(key)
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_no_two_workers_ever_have_the_same_key() -> None:
    queue: WorkQueue[int] = WorkQueue("test")
    chance = random.Random(1)
    busy: set[int] = set()
    clashes: list[int] = []
    done: list[int] = []

    async def work(key: int) -> None:
        if key in busy:
            clashes.append(key)
        busy.add(key)
        await asyncio.sleep(chance.random())
        busy.discard(key)
        done.append(key)

    async with background(queue.run(work, workers=5)):
        for _ in range(300):
            queue.add(chance.randrange(8))
            await asyncio.sleep(chance.random() / 10)
        await asyncio.sleep(20)
        assert queue.idle
    assert clashes == []
    assert set(done) == set(range(8))
    assert 16 < len(done) < 300


async def test_what_fails_waits_longer_each_time_until_it_goes_well() -> None:
    queue: WorkQueue[str] = WorkQueue("test", pace=Pace(first_s=1.0, most_s=5.0))
    tried: list[float] = []

    async def work(key: str) -> None:
        tried.append(now())
        if len(tried) in (1, 2, 3, 4, 5, 7):
            raise Unavailable("not now")

    async with background(queue.run(work)):
        queue.add("a")
        await asyncio.sleep(50)
        assert queue.failures("a") == 0
        queue.add("a")
        await asyncio.sleep(50)
    waits = [round(b - a, 1) for a, b in itertools.pairwise(tried)]
    assert waits[:5] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert waits[6] == 1.0, "after it went well, the shortest wait again"


async def test_a_defect_of_one_key_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    done: list[str] = []

    async def work(key: str) -> None:
        if key == "bad":
            raise KeyError(key)
        done.append(key)

    async with background(queue.run(work, workers=1)):
        for key in ("bad", "b", "c"):
            queue.add(key)
        await asyncio.sleep(1)
    assert done == ["b", "c"]
    assert any(record.exc_info for record in caplog.records), "a defect has its trace"


async def test_all_failures_together_keep_to_a_rate() -> None:
    queue: WorkQueue[int] = WorkQueue("test", pace=Pace(first_s=0.001, rate=10.0, burst=20))
    delays = [queue.failed(key) for key in range(100)]
    assert max(delays[:20]) <= 0.1
    assert delays[-1] == pytest.approx(8.0, abs=0.2)
    await asyncio.sleep(20)
    assert queue.failed(1000) <= 0.1, "what was saved up is there again"


async def test_a_key_comes_at_the_earliest_of_its_times() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    for seconds in (30.0, 10.0, 20.0):
        queue.add_after("a", seconds)
    queue.add_after("b", 15.0)
    queue.add_after("c", 0.0)
    assert await queue.get() == "c"
    assert (await queue.get(), round(now())) == ("a", 10)
    queue.done("a")
    assert (await queue.get(), round(now())) == ("b", 15)
    queue.done("b")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await queue.get()


async def test_work_says_when_it_wants_to_come_again() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    times: list[int] = []

    async def work(key: str) -> float | None:
        times.append(round(now()))
        return 7.0 if len(times) < 4 else None

    async with background(queue.run(work)):
        queue.add("a")
        await asyncio.sleep(100)
    assert times == [0, 7, 14, 21]


async def test_a_queue_that_is_shut_down_ends_its_workers() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    done: list[str] = []

    async def work(key: str) -> None:
        await asyncio.sleep(1)
        done.append(key)

    queue.add("a")
    queue.add_after("late", 5)
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.run(work, workers=3))
        await asyncio.sleep(0.5)
        queue.add("b")
        queue.shut_down()
        queue.add("c")
        queue.add_after("d", 1)
    assert done == ["a", "b"]
    with pytest.raises(ShutDown):
        await queue.get()


async def test_a_worker_that_is_cancelled_takes_no_key_with_it() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(queue.get())
        second = group.create_task(queue.get())
        await asyncio.sleep(1)
        queue.add("a")  # wakes the first, which is gone before it runs
        first.cancel()
        assert await second == "a"
