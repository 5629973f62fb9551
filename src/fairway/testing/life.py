"""One incarnation of a process: its ports are severed before its tasks are dropped.

After its death every port raises `Killed`, so no `finally` of the dropped tasks can write.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event

from fairway.model.errors import Internal, Unavailable
from fairway.store.database import Database, sqlite_url

T = TypeVar("T")


class Killed(BaseException):
    """What a killed incarnation meets at each of its ports."""


class Life:
    """One incarnation. `die` ends it at once, from anywhere."""

    def __init__(self, name: str, note: Callable[[str], None] = lambda _: None) -> None:
        self.name = name
        self._note = note
        self.alive = True
        self.dead = asyncio.Event()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.writes = 0
        self.die_at_write: int | None = None  # the n-th write from now on, and whether it counts
        self.write_counts = False

    def note(self, what: str) -> None:
        """A line of the trace."""
        self._note(f"{self.name} {what}")

    def port(self) -> None:
        """Every port calls this on each use. Raises `Killed`."""
        if not self.alive:
            raise Killed

    def die(self) -> None:
        """Sever the ports, then drop the tasks."""
        if self.alive:
            self.alive = False
            self.dead.set()
            for task in sorted(self.tasks, key=hash):
                task.cancel()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of this incarnation."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}: {name}")
        self.tasks.add(task)
        return task

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """A request from outside: its answer, or `Unavailable` when the incarnation dies first."""
        if not self.alive:
            raise _unreachable()
        task = self.start(work(), "request")
        waiter = asyncio.get_running_loop().create_task(self.dead.wait())
        try:
            await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if not self.alive:
            raise _unreachable()
        return task.result()

    async def buried(self) -> None:
        """Wait until every dropped task has ended."""
        while left := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(left)
        for task in self.tasks:
            if not task.cancelled():
                task.exception()


def _unreachable() -> Unavailable:
    return Unavailable("the simulated process is down", code="unreachable")


class Severed:
    """Any object whose methods are ports: each call asks the life before and after it."""

    def __init__(self, target: Any, life: Life) -> None:
        self._target = target
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found
        if inspect.iscoroutinefunction(found):
            return self._coroutine(found)
        if inspect.isasyncgenfunction(found):
            return self._generator(found)
        return self._plain(found)

    def _coroutine(self, found: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._life.port()
            result = await found(*args, **kwargs)
            self._life.port()
            return result

        return call

    def _generator(self, found: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._life.port()
            async for item in found(*args, **kwargs):
                self._life.port()
                yield item

        return call

    def _plain(self, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._life.port()
            return found(*args, **kwargs)

        return call


class _Shared:
    """One engine for every database of the process: what SQL compiles to is kept in the engine.

    It connects to the file of the world that lives now; there is only one at a time.
    """

    engine: Engine | None = None
    path = ""


def _redirect(_dialect: Any, _record: Any, arguments: list[Any], _options: Any) -> None:
    arguments[0] = _Shared.path


def enter(path: Path) -> None:
    """From now on every simulated database is this file."""
    if _Shared.engine is None:
        _Shared.engine = Database(sqlite_url(path), durable=False).engine
        event.listen(_Shared.engine, "do_connect", _redirect)
    _Shared.engine.dispose()
    _Shared.path = str(path)


class WorldDatabase(Database):
    """The real store on the world's file."""

    def _engine(self) -> Engine:
        if _Shared.engine is None:
            raise Internal("no world was entered")
        return _Shared.engine

    def close(self) -> None:
        """The engine stays for the next incarnation."""


class SimulatedDatabase(WorldDatabase):
    """... of one incarnation: its death may fall before a commit or right after it."""

    def __init__(self, path: Path, life: Life) -> None:
        super().__init__(sqlite_url(path), durable=False)
        self._life = life

    def _write(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        life = self._life
        life.port()
        life.note(getattr(work, "__qualname__", "work"))
        life.writes += 1
        last = life.die_at_write is not None and life.writes >= life.die_at_write
        if last and not life.write_counts:
            life.die()
            raise Killed
        result = super()._write(work, *args, **kwargs)
        if last:
            life.die()
            raise Killed
        return result

    def read_now(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        """See `Database`."""
        self._life.port()
        return super().read_now(work, *args, **kwargs)
