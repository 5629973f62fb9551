"""Tasks, hints and cleanup."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kit.aio import Wake, background, blocking, shielded


async def test_a_hint_wakes_everyone_who_waits_now() -> None:
    wake = Wake()
    async with asyncio.TaskGroup() as group:
        waiters = [group.create_task(wake.wait(60)) for _ in range(3)]
        await asyncio.sleep(0)
        wake.set()
    assert [waiter.result() for waiter in waiters] == [True, True, True]


async def test_a_wait_without_a_hint_ends_at_its_time() -> None:
    assert await Wake().wait(0.001) is False


async def test_a_hint_before_the_wait_is_not_kept() -> None:
    wake = Wake()
    wake.set()
    assert await wake.wait(0.001) is False


async def test_a_cancelled_waiter_is_cancelled_and_forgotten() -> None:
    wake = Wake()
    task = asyncio.create_task(wake.wait(60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not wake._waiters


async def test_shielded_work_finishes_although_its_caller_is_cancelled() -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.append("written")

    task = asyncio.create_task(shielded(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["written"]


async def test_shielded_work_gives_its_result_and_its_error() -> None:
    async def good() -> int:
        return 7

    async def bad() -> int:
        raise ValueError("no")

    assert await shielded(good()) == 7
    with pytest.raises(ValueError, match="no"):
        await shielded(bad())


async def test_background_work_ends_with_the_body() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("work")

    async with background(work()):
        await asyncio.sleep(0)
    assert ended == ["work"]


async def test_a_blocking_call_runs_elsewhere_and_raises_here() -> None:
    def refuse() -> None:
        raise KeyError("x")

    assert await blocking(pow, 2, 5) == 32
    with pytest.raises(KeyError):
        await blocking(refuse)
