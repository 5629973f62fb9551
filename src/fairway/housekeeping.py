"""What is removed by age and size across chapters: the registry's garbage, the build cache."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fairway.backup import COLLECT_LEASE
from fairway.image.collect import Policy, collect
from fairway.model.errors import FairwayError
from fairway.ports import Ports
from fairway.settings import Settings
from fairway.store import lease

EVERY_S: Final = 3600.0
_FIRST_S: Final = 120.0
_HOLD_S: Final = 1800.0
_DAY_MS: Final = 24 * 3600 * 1000
_log = logging.getLogger(__name__)


class Housekeeping:
    """Collects now and then. One process at a time, never beside a backup."""

    def __init__(self, settings: Settings, ports: Ports, *, holder: str) -> None:
        self._settings = settings
        self._ports = ports
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

    async def round(self) -> None:
        """Collect once, unless someone else does or a backup is being taken."""
        database = self._ports.database
        if not await database.write(lease.acquire, COLLECT_LEASE, self._holder, _HOLD_S):
            return
        try:
            days = self._settings.retention.untagged_days
            if days > 0:
                policy = Policy(untagged_ms=int(days * _DAY_MS))
                gone = await collect(database, self._ports.blobs, policy)
                if gone.blobs or gone.manifests or gone.uploads:
                    _log.info("collected %s", gone)
        finally:
            await database.write(lease.release, COLLECT_LEASE, self._holder)
