"""Of several processes of this machine, one does the work."""

from __future__ import annotations

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TextIO

from fairway.kit.aio import blocking

_AGAIN_S: Final = 1.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Wait for the lock `path`, and hold it. The kernel lets go of it when the process dies."""
    told = False
    while (handle := await blocking(_take, path)) is None:
        if not told:
            _log.info("another process holds %s: waiting for its end", path)
            told = True
        await asyncio.sleep(_AGAIN_S)
    try:
        yield
    finally:
        handle.close()


def _take(path: Path) -> TextIO | None:
    """The lock, held until the handle is closed; None while another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle
