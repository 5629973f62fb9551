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
_BEHIND: Final = 200  # on PostgreSQL a lower id may be committed after a higher one


class Happened(Struct, frozen=True):
    """An event with its id and time (milliseconds UTC)."""

    id: int
    at: int
    event: Event


class Hub:
    """Reads the outbox for all streams together, and only while somebody listens."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.count = 0  # how many events came since the start: a follower's place
        self._behind = 0 if database.sqlite else _BEHIND
        self._found_some = Wake()
        self._kept: deque[Happened] = deque(maxlen=_KEPT)
        self._known: deque[int] = deque(maxlen=2 * _BEHIND + _AT_ONCE)
        self._last = -1  # the newest id that we know; -1: we have not looked yet
        self._looking = False
        self._looked = float("-inf")

    @property
    def newest(self) -> int:
        """The highest id that was seen, -1 before the first look."""
        return self._last

    def follow(self, since: int | None = None) -> Follower:
        """What happens from now on, or after the event with the id `since`."""
        return Follower(self, since)

    def kept(self, place: int) -> list[Happened] | None:
        """What came after a place; None when it is no longer all kept."""
        missing = self.count - place
        if missing > len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - missing :] if missing else []

    async def wait(self, seconds: float) -> None:
        """Until there may be more, at most `seconds`; then look, unless somebody just has."""
        loop = asyncio.get_running_loop()
        rung = await self.database.events.wait(min(seconds, LOOK_S))
        if rung or loop.time() >= self._looked + LOOK_S / 2:
            await self.look()

    async def look(self) -> None:
        """Read what is new. Several who look at once cost one look."""
        if self._looking:
            await self._found_some.wait(LOOK_S)
            return
        self._looking = True
        try:
            first = self._last < 0
            if first:
                self._last = await self.database.read(outbox.last)
            begin = max(self._last - self._behind, 0)
            limit = _AT_ONCE + self._behind
            rows = await self.database.read(outbox.since, begin, limit=limit)
        finally:
            self._looking = False
            self._looked = asyncio.get_running_loop().time()
            self._found_some.set()
        self._take([Happened(*row) for row in rows], old=self._last if first else -1)

    def _take(self, found: list[Happened], *, old: int) -> None:
        """Keep what was not known; ids up to `old` were there before we began."""
        known = set(self._known)
        for one in found:
            if one.id in known:
                continue
            self._known.append(one.id)
            if one.id > old:
                self._kept.append(one)
                self.count += 1
            self._last = max(self._last, one.id)


class Follower:
    """One stream's place."""

    def __init__(self, hub: Hub, since: int | None) -> None:
        self._hub = hub
        self._since = since
        self._place = -1  # not begun
        self._told: set[int] = set()

    async def begin(self) -> None:
        """From here on nothing is missed."""
        await self._hub.look()
        self._place = self._hub.count
        self._told.add(self._hub.newest)

    async def next(self, seconds: float) -> list[Happened]:
        """What happened since the last call, waiting at most `seconds` for the first of it."""
        if self._place < 0:
            await self.begin()
        if self._since is not None:
            return await self._caught_up(self._since)
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not (found := await self._new()) and (left := until - loop.time()) > 0:
            await self._hub.wait(left)
        return found

    async def _caught_up(self, since: int) -> list[Happened]:
        """A part of what lies between the reader's last event and now."""
        rows = await self._hub.database.read(outbox.since, since, limit=_AT_ONCE)
        found = [Happened(*row) for row in rows]
        self._told |= {one.id for one in found}
        self._since = found[-1].id if len(found) == _AT_ONCE else None
        return found

    async def _new(self) -> list[Happened]:
        kept = self._hub.kept(self._place)
        if kept is None:  # so slow a reader: from the store, where it was
            self._since, self._place = max(self._told, default=0), self._hub.count
            return await self._caught_up(self._since)
        self._place = self._hub.count
        found = [one for one in kept if one.id not in self._told]
        if found:
            self._told = {one.id for one in found}
        return found
