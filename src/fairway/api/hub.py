"""New events for every stream of this process: one look at the store serves all who wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from msgspec import Struct

from fairway.kit.aio import Wake
from fairway.model.events import Event
from fairway.store import outbox
from fairway.store.database import Database

LOOK_S: Final = 0.25  # how stale a stream may be: another process wrote, and nobody rang
_KEPT: Final = 5_000
_AT_ONCE: Final = 500


class Happened(Struct, frozen=True):
    """An event with its id and time (milliseconds UTC)."""

    id: int
    at: int
    event: Event


class Hub:
    """Reads the outbox for all streams together, and only while somebody listens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found_some = Wake()
        self._kept: deque[Happened] = deque(maxlen=_KEPT)
        self._last = -1  # the newest id that we looked at; -1: none yet
        self._looking = False
        self._looked = float("-inf")

    async def newest(self) -> int:
        """The id of the newest event."""
        await self._look()
        return self._last

    async def after(self, last: int, seconds: float) -> list[Happened]:
        """Events after the one with id `last`, waiting at most `seconds` for the first."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            found = await self._found(last)
            left = until - loop.time()
            if found or left <= 0:
                return found
            if not await self._database.events.wait(min(left, LOOK_S)) and loop.time() < (
                self._looked + LOOK_S / 2
            ):
                continue  # somebody else has just looked
            await self._look()

    async def _found(self, last: int) -> list[Happened]:
        if self._last < 0:
            await self._look()
        oldest = self._kept[0].id if self._kept else self._last + 1
        if last + 1 >= oldest or last >= self._last:
            return [one for one in self._kept if one.id > last]
        rows = await self._database.read(outbox.since, last, limit=_AT_ONCE)
        return [Happened(*row) for row in rows]

    async def _look(self) -> None:
        if self._looking:
            await self._found_some.wait(LOOK_S)
            return
        self._looking = True
        try:
            if self._last < 0:
                self._last = await self._database.read(outbox.last)
            rows = await self._database.read(outbox.since, self._last, limit=_AT_ONCE)
        finally:
            self._looking = False
            self._looked = asyncio.get_running_loop().time()
            self._found_some.set()
        self._kept.extend(Happened(*row) for row in rows)
        if rows:
            self._last = rows[-1][0]
