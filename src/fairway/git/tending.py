"""Packing a bare folder now and then: pushes leave it to us (`receive.autogc` is off)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Final

from fairway.git.folders import Folders, environment
from fairway.kit.aio import shielded
from fairway.model.errors import Unavailable

DEADLINE_S: Final = 3600.0
_END_S: Final = 5.0


async def tend(folders: Folders, number: int, *, deadline_s: float = DEADLINE_S) -> None:
    """`git gc --auto`: packs when there is enough to pack; safe beside pushes and fetches.

    What nobody refers to stays for two weeks. Raises `Unavailable` (code `gc-failed`).
    """
    child = await asyncio.create_subprocess_exec(
        *("git", "-C", str(folders.path(number)), "gc", "--auto", "--quiet"),
        env=environment(folders),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(deadline_s):
            status = await child.wait()
    except TimeoutError:
        status = -1
    finally:
        await shielded(end(child))
    if status:
        raise Unavailable(
            f"repository {number} cannot be packed (git gc: {status})",
            code="gc-failed",
            remedy="look at the disk's free space; run `git gc` in its folder to see why",
        )


async def end(child: asyncio.subprocess.Process) -> None:
    """End a child and what it started: asked first, then made to."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await child.wait()
