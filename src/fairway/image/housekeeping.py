"""Collects the registry's garbage now and then: one process at a time, never beside a backup."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fairway.blob.blob import Blobs
from fairway.image.collect import Policy, collect
from fairway.model.errors import FairwayError
from fairway.store import lease
from fairway.store.database import Database

EVERY_S: Final = 3600.0
_FIRST_S: Final = 120.0
_HOLD_S: Final = 1800.0
_log = logging.getLogger(__name__)


class Housekeeping:
    """The loop around `collect`."""

    def __init__(
        self, database: Database, blobs: Blobs, policy: Policy | None, *, holder: str
    ) -> None:
        """`policy` None keeps everything. `holder` is this process's name in leases."""
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._holder = holder

    async def run(self) -> None:
        """Work until cancelled."""
        wait = _FIRST_S
        while True:
            await asyncio.sleep(wait)
            wait = EVERY_S
            try:
                await self.round()
            except FairwayError as error:
                _log.warning("garbage is collected later: %s", error)

    async def round(self) -> bool:
        """Collect once. Returns False when another process or a backup holds it off."""
        if self._policy is None:
            return True
        write = self._database.write
        if not await write(lease.acquire, lease.COLLECT, self._holder, _HOLD_S):
            return False
        try:
            gone = await collect(self._database, self._blobs, self._policy)
        finally:
            await write(lease.release, lease.COLLECT, self._holder)
        if gone.blobs or gone.manifests or gone.uploads:
            _log.info("collected %s", gone)
        return True
