"""The upkeep of our folders: one repository at a time, a few times a day."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fairway.git.folders import Folders
from fairway.git.tending import tend
from fairway.model.errors import FairwayError
from fairway.store import repositories
from fairway.store.database import Database

EVERY_S: Final = 6 * 3600.0
_FIRST_S: Final = 600.0
_log = logging.getLogger(__name__)


class Tender:
    """Packs what has grown. Belongs to the process that owns the folders (role `git`)."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                await self.once()
            except FairwayError as error:
                _log.warning("folders are packed later: %s", error)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """Look at every repository. Returns how many could not be packed."""
        failed = 0
        for each in await self._database.read(repositories.all_of):
            if not self._folders.path(each.id).exists():
                continue
            try:
                await tend(self._folders, each.id)
            except FairwayError as error:
                failed += 1
                _log.warning("%s: %s", each.slug, error)
        return failed
