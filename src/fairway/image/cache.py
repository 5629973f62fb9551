"""Keeps the Engine's cache of image builds within its size: what was not used for longest goes.

The Engine does the choosing; a cache holds nothing that a build cannot make again. Only the
runner's own Engine is asked, and what a build is using stays.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final

from fairway.docker.client import Docker, EngineRefused
from fairway.model.errors import FairwayError

EVERY_S: Final = 600.0
_PRUNE_S: Final = 600.0
_log = logging.getLogger(__name__)


class BuildCache:
    """The loop around the Engine's own pruning. `most_bytes` 0 keeps everything."""

    def __init__(self, docker: Docker, *, most_bytes: int) -> None:
        self._docker = docker
        self._most = most_bytes

    async def run(self) -> None:
        """Work until cancelled."""
        while self._most > 0:
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
        query: dict[str, str | int | bool | None] = {"all": 1, "keep-storage": self._most}
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
