"""An event loop in virtual time: nothing is waited for, everything can be replayed from a seed.

What is ready at one moment runs in a random order. Tasks and futures hash by age, so that sets of
them (a TaskGroup's) have one order in every run. Threads, sockets and subprocesses raise.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable
from typing import Any


class Stalled(Exception):
    """Nothing is ready and no timer is set: the system waits for ever."""


class _Clock(selectors.BaseSelector):
    """Waits for nothing: it moves the time to the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.before_step: Callable[[], None] = lambda: None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stalled
        self.now += max(timeout, 0.0)
        self.before_step()
        return []

    def get_map(self) -> dict[Any, Any]:
        return {}


class _CountedTask(asyncio.Task[Any]):
    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        self._number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _CountedFuture(asyncio.Future[Any]):
    def __init__(self, *, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread, virtual time, no outside world. `virtual` tells `kit.aio.blocking` so."""

    virtual = True

    def __init__(self, seed: int) -> None:
        self._numbers = itertools.count(1)
        self._clock = _Clock()
        super().__init__(self._clock)
        self.random = random.Random(seed)  # noqa: S311 a simulation is to be repeatable
        self.steps = 0
        self.on_step: Callable[[], None] = lambda: None
        self._clock.before_step = self._step
        self.set_task_factory(self._make_task)

    def _make_task(self, loop: Any, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        return _CountedTask(coro, loop=loop, number=next(self._numbers), **kwargs)

    def create_future(self) -> asyncio.Future[Any]:
        """A future that hashes by age."""
        return _CountedFuture(number=next(self._numbers), loop=self)

    def _step(self) -> None:
        self.steps += 1
        self.on_step()
        ready = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            order = list(ready)
            self.random.shuffle(order)
            ready.clear()
            ready.extend(order)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now

    def run_in_executor(self, *_: Any) -> Any:  # type: ignore[override]
        """No threads here."""
        raise RuntimeError("a thread in the simulated world: use kit.aio.blocking")

    async def create_connection(self, *_: Any, **__: Any) -> Any:
        """No sockets here."""
        raise RuntimeError("a socket in the simulated world")

    create_server = subprocess_exec = subprocess_shell = create_connection
