"""A child program of a plugin: clean environment, output to the log, an end in every case."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from fairway.kit.aio import shielded
from fairway.model.errors import Unavailable
from fairway.pipeline.engine import Sink

_PIECE: Final = 64 * 1024


async def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: Sink,
    deadline_s: float,
) -> int:
    """Run a program to its end; both outputs go to `log`. Returns its exit code.

    Cancelled or past the deadline (`TimeoutError`), its whole process group is killed and reaped.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be started: {error}", code="no-program") from error
    try:
        async with asyncio.timeout(deadline_s):
            await _relay(child, log)
            return await child.wait()
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await shielded(child.wait())


async def _relay(child: asyncio.subprocess.Process, log: Sink) -> None:
    if child.stdout is None:
        return
    while data := await child.stdout.read(_PIECE):
        await log(data)
