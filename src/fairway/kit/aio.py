"""Tasks with owners, blocking calls, and cleanup that a cancellation cannot tear.

Everything in Fairway that would block goes through `blocking`: a thread in production, inline in
the simulated world, whose single thread owns the clock (architecture, rule 11).
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 16
_pool: ThreadPoolExecutor | None = None


def is_virtual(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop keeps virtual time: it says so itself by an attribute `virtual`."""
    return bool(getattr(loop, "virtual", False))


def _threads() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 one pool a process, made when it is first needed
    if _pool is None:
        _pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fairway")
    return _pool


async def blocking(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call that blocks (store, files, hashing) away from the loop.

    In the simulated world it runs inline, after a point where others may run. A cancelled caller
    does not stop the call: it must be safe to finish unheard (a transaction, an atomic rename).
    """
    loop = asyncio.get_running_loop()
    if is_virtual(loop):
        await asyncio.sleep(0)
        return call(*args, **kwargs)
    context = contextvars.copy_context()
    bound = functools.partial(context.run, call, *args, **kwargs)
    return await loop.run_in_executor(_threads(), bound)


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` even when the caller is cancelled; the cancellation is raised afterwards.

    For final writes and cleanup. `work` must have a deadline of its own.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:  # noqa: BLE001 it is raised by task.result() below
            break
    if cancelled is not None:
        task.exception()
        raise cancelled
    return task.result()


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises its first error itself, not a group of one.

    For tasks that carry out one thing together: the first error is what went wrong, the others
    only follow from it.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


@asynccontextmanager
async def background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.TaskGroup]:
    """Run `works` beside the body; leaving the body cancels them and waits for their end.

    The first error of body or works is raised itself, as `together` does.
    """
    async with together() as group:
        tasks = [
            group.create_task(work, name=getattr(work, "__qualname__", None)) for work in works
        ]
        try:
            yield group
        finally:
            for task in tasks:
                task.cancel()


class Wake:
    """A hint that there is work. Never the truth: a waiter looks at the store afterwards."""

    def __init__(self) -> None:
        # In order of arrival: a set's order would differ from run to run of the simulated world.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def set(self) -> None:
        """Wake all who wait now."""
        for waiter in list(self._waiters):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Wait for a hint, at most `seconds`. Returns whether one came."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = None
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.pop(waiter, None)
        return True
