"""What `/metrics` counts in the store."""

from __future__ import annotations

import asyncio
from typing import Final

from fairway.api.shown import ONLINE_MS
from fairway.store import measures
from fairway.store.database import Database

_LOOK_S: Final = 5.0


class Scrapes:
    """The last measures: several scrapers cost one look at the store."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._found: measures.Measures | None = None

    async def measures(self, database: Database) -> measures.Measures:
        """At most five seconds old."""
        now = asyncio.get_running_loop().time()
        if self._found is None or now - self._at > _LOOK_S:
            self._found = await database.read(measures.measure, online_ms=ONLINE_MS)
            self._at = now
        return self._found
