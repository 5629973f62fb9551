"""Keeps the Engine's cache of image builds within age and size: what was longest unused goes.

The Engine does the choosing; a cache holds nothing that a build cannot make again. Only the
runner's own Engine is asked, and what a build is using stays.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final

from fairway.docker.client import Docker, EngineRefused
from fairway.docker.http import Query
from fairway.model.errors import FairwayError

EVERY_S: Final = 600.0
_PRUNE_S: Final = 600.0
_DAY_S: Final = 86400
_log = logging.getLogger(__name__)


class BuildCache:
    """The loop around the Engine's own pruning. For 0 neither size nor age counts."""

    def __init__(self, docker: Docker, *, most_bytes: int, days: float = 0) -> None:
        self._docker = docker
        self._most = most_bytes
        self._days = days

    async def run(self) -> None:
        """Work until cancelled."""
        while self._most > 0 or self._days > 0:
            await asyncio.sleep(EVERY_S)
            try:
                gone = await self.round()
            except FairwayError as error:
                _log.warning("the build cache is pruned later: %s", error)
            else:
                if gone:
                    _log.info("%d bytes of the build cache are gone", gone)

    async def round(self) -> int:
        """Prune once. Returns how many bytes went. Raises `Unavailable`: may be retried."""
        gone = 0
        if self._days > 0:
            unused = {"until": [f"{max(1, round(self._days * _DAY_S))}s"]}
            gone += await self._prune({"all": 1, "filters": json.dumps(unused)})
        if self._most > 0:
            gone += await self._prune({"all": 1, "keep-storage": self._most})
        return gone

    async def _prune(self, query: Query) -> int:
        try:
            async with (
                asyncio.timeout(_PRUNE_S),
                self._docker.stream("POST", "/build/prune", query=query) as answer,
            ):
                data = await answer.read()
        except EngineRefused as error:
            if error.answer == 404:  # an Engine without BuildKit has no such cache
                return 0
            raise
        except TimeoutError:
            _log.warning("pruning the build cache took over %.0f s", _PRUNE_S)
            return 0
        return int((json.loads(data) or {}).get("SpaceReclaimed") or 0)
