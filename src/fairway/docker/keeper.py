"""Keeps an Engine of our own running for as long as Fairway does."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from fairway.kit.aio import blocking
from fairway.model.errors import Unavailable

_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class Daemon(Protocol):
    """What is kept running: `OwnEngine`."""

    def ensure(self) -> object:
        """Have it running. Blocks. Raises Unavailable; may be retried."""


async def keep(daemon: Daemon, *, seconds: float = _SECONDS) -> None:
    """Look every `seconds` whether it answers, and mend it; until cancelled.

    A daemon that cannot be mended is tried again; builds wait meanwhile and say why.
    """
    told = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await blocking(daemon.ensure)
            told = ""
        except Unavailable as error:
            if str(error) != told:
                _log.warning("%s (%s)", error, error.remedy)
            told = str(error)
