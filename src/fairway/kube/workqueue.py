"""A queue of keys: coalesced, in order for each key, with backoff, delays and a global rate.

A key is only a wake-up: however often it is added while it waits, it is worked on once; added while
it is worked on, it comes again afterwards and never to two workers at once. It keeps time by the
loop's clock and owns no task.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from msgspec import Struct

from fairway.model.errors import FairwayError

K = TypeVar("K", bound=Hashable)
log: Final = logging.getLogger(__name__)


class Pace(Struct, frozen=True, kw_only=True):
    """How often what fails is tried again.

    A key waits `first_s`, doubled with each failure up to `most_s`. All keys together fail at most
    `rate` times a second, with `burst` saved up: a server that is down is not stormed.
    """

    first_s: float = 0.05
    most_s: float = 60.0
    rate: float = 20.0
    burst: int = 100


class ShutDown(Exception):
    """The queue ends: there is no more work."""


class WorkQueue(Generic[K]):
    """Keys to be worked on. `name` is for logs."""

    def __init__(self, name: str, *, pace: Pace | None = None) -> None:
        self.name = name
        self._pace = pace or Pace()
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._delayed: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._free_at = 0.0  # when the bucket has been filled to `burst` again
        self._ended = False

    def __len__(self) -> int:
        """Keys that are ready."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing is ready or worked on; delayed keys may wait."""
        return not self._ready and not self._working

    def add(self, key: K) -> None:
        """Have `key` worked on soon. After `shut_down` nothing is added."""
        if self._ended or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._put(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have `key` worked on in `seconds`; of several wishes for a key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        at = asyncio.get_running_loop().time() + seconds
        if self._ended or self._delayed.get(key, at + 1) <= at:
            return
        self._delayed[key] = at
        heapq.heappush(self._heap, (at, next(self._numbers), key))
        self._set_timer()

    def failed(self, key: K) -> float:
        """Have `key` tried again after its backoff; returns the seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = min(self._pace.first_s * 2.0 ** min(count, 60), self._pace.most_s)
        delay = max(delay, self._wait_for_rate())
        self.add_after(key, delay)
        return delay

    def _wait_for_rate(self) -> float:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + 1.0 / self._pace.rate
        return max(0.0, self._free_at - now - self._pace.burst / self._pace.rate)

    def forget(self, key: K) -> None:
        """`key` went well: its next failure waits the shortest time again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often it failed in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key, which is then worked on until `done`. Raises `ShutDown`."""
        while not self._ready:
            if self._ended:
                raise ShutDown
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # the wake-up was for somebody who works
                raise
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """`key` is not worked on any more; what was added meanwhile is ready now."""
        self._working.discard(key)
        if key in self._dirty:
            self._put(key)

    def shut_down(self) -> None:
        """Take nothing more; workers get what is ready, then `ShutDown`."""
        self._ended = True
        self._heap.clear()
        self._delayed.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiters:
            self._wake()

    async def run(self, work: Callable[[K], Awaitable[float | None]], *, workers: int = 4) -> None:
        """Work on keys with so many workers until `shut_down`, or for ever.

        `work` returns None, or the seconds after which its key shall come again. What it raises is
        logged, and the key comes again after its backoff.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._worker(work), name=f"{self.name}-{number}")

    async def _worker(self, work: Callable[[K], Awaitable[float | None]]) -> None:
        while True:
            try:
                key = await self.get()
            except ShutDown:
                return
            try:
                again = await work(key)
            except Exception as error:  # noqa: BLE001 one bad key must not end the others
                delay = self.failed(key)
                self._tell(key, error, delay)
            else:
                self.forget(key)
                if again is not None:
                    self.add_after(key, again)
            finally:
                self.done(key)

    def _tell(self, key: K, error: Exception, delay: float) -> None:
        """Say what failed: in a line for what may be retried, with its trace for a defect."""
        expected = isinstance(error, FairwayError)
        log.log(
            logging.INFO if expected else logging.ERROR,
            "%s: %s failed, again in %.3g s: %s",
            self.name,
            key,
            delay,
            error,
            exc_info=None if expected else error,
        )

    def _put(self, key: K) -> None:
        self._ready.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._heap[0][0], self._due)

    def _due(self) -> None:
        now = asyncio.get_running_loop().time()
        # A timer may fire within the clock's resolution before its time.
        while self._heap and self._heap[0][0] <= now + 1e-3:
            at, _number, key = heapq.heappop(self._heap)
            if self._delayed.get(key) == at:
                del self._delayed[key]
                self.add(key)
        self._set_timer()
