"""One `git http-backend` process: bytes in, bytes out, in constant memory, and its end.

The child leads a process group of its own: ending it ends what it started. A silent child is ended
after `IDLE_S`: git itself sends a sign of life every five seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from fairway.git.pump import Pump
from fairway.kit.aio import shielded
from fairway.model.errors import Unavailable

IDLE_S: Final = 120.0
_END_S: Final = 3.0
_CHUNK: Final = 256 * 1024
_WIDE: Final = 1024 * 1024
_DEEP: Final = 4 * 1024 * 1024
_SO_SNDBUFFORCE: Final = 32  # asm-generic/socket.h; Python has no name for it
_STDERR: Final = 16 * 1024
_HEADERS: Final = 64 * 1024


def backend_program() -> Path:
    """Where git keeps `git-http-backend`. Raises `Unavailable` (code `git-missing`)."""
    try:
        done = subprocess.run(
            ["/usr/bin/env", "git", "--exec-path"], capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _missing() from error
    program = Path(done.stdout.decode().strip()) / "git-http-backend"
    if not program.is_file():
        raise _missing()
    return program


def _missing() -> Unavailable:
    return Unavailable(
        "git, or its http-backend, is not installed",
        code="git-missing",
        remedy="apt-get install git",
    )


class Backend:
    """A running child. Use as `async with Backend(...)`: it never outlives the block."""

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = dict(environment)
        self._child: asyncio.subprocess.Process | None = None
        self._pump: Pump | None = None
        self._errors = bytearray()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Backend:
        # A socket, not a pipe: index-pack reads 4 KB at a time, and a full pipe would wake us for
        # each of them; a socket does so when most of it is free again.
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        _deepen(ours)
        try:
            self._child = await asyncio.create_subprocess_exec(
                self._program,
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
                limit=_CHUNK,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        _widen(self._child)
        _yield_to_others(self._child.pid)
        self._pump = Pump(ours)
        for work in (self._read_errors(), self._pump.run()):
            self._tasks.append(asyncio.ensure_future(work))  # noqa: TID251 ended by __aexit__
        return self

    async def __aexit__(self, *_error: object) -> None:
        await shielded(self._end())

    async def write(self, data: bytes) -> bool:
        """Hand over a piece of the body. Returns whether the child still listens.

        Waits while the child is far behind: the caller has a deadline.
        """
        return self._pump is not None and await self._pump.give(data)

    def close_input(self) -> None:
        """The body is whole."""
        if self._pump is not None:
            self._pump.end()

    async def headers(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers. Raises `Unavailable` (code `git-failed`) when there are none."""
        stdout = self._running.stdout
        status, size = 200, 0
        found: list[tuple[bytes, bytes]] = []
        while stdout is not None and size < _HEADERS:
            async with asyncio.timeout(IDLE_S):
                line = await stdout.readline()
            size += len(line)
            if not line.endswith(b"\n"):
                break
            text = line.strip()
            if not text:
                return status, found
            name, _, value = text.partition(b":")
            if name.lower() == b"status":
                status = int(value.split()[0])
            else:
                found.append((name.lower(), value.strip()))
        raise Unavailable(
            f"git gave no answer: {self.errors or 'without a word'}",
            code="git-failed",
            remedy="try again; look at the log and the disk's free space",
        )

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer's body."""
        stdout = self._running.stdout
        while stdout is not None:
            async with asyncio.timeout(IDLE_S):
                data = await stdout.read(_CHUNK)
            if not data:
                return
            yield data

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return self._errors.decode("utf-8", "replace").strip()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise RuntimeError("the child is not started")
        return self._child

    async def _read_errors(self) -> None:
        stderr = self._running.stderr
        while stderr is not None and (data := await stderr.read(4096)):
            self._errors += data[: max(0, _STDERR - len(self._errors))]

    async def _end(self) -> None:
        """Ask the whole group to end (git removes its temporary files then), then make it."""
        child = self._running
        self.close_input()
        signs = (
            (0, signal.SIGTERM, signal.SIGKILL)
            if self._drained
            else (signal.SIGTERM, signal.SIGKILL)
        )
        for sign in signs:
            if child.returncode is None and sign:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await child.wait()
                    break
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def _drained(self) -> bool:
        """Whether its answer was read to the end: it is about to exit by itself."""
        stdout = self._running.stdout
        return stdout is not None and stdout.at_eof()


def _deepen(ours: socket.socket) -> None:
    """Let the kernel hold what git reads within a few hundredths of a second: we are woken some
    twenty times for 50 MB instead of some hundreds. Who is not root gets as much as all may have.
    """
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _DEEP)
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            ours.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _DEEP)


def _yield_to_others(pid: int) -> None:
    """What counts objects by the million must not make the loop, which feeds it, wait its turn."""
    with contextlib.suppress(OSError, AttributeError):  # it may have ended; other systems
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def _widen(child: asyncio.subprocess.Process) -> None:
    """Let its answer's pipe hold more, where the system allows it: fewer, larger pieces."""
    transport = child._transport  # type: ignore[attr-defined] # noqa: SLF001 no public way to stdout
    with contextlib.suppress(OSError, AttributeError, ValueError):  # it may have ended
        pipe = transport.get_pipe_transport(1).get_extra_info("pipe")
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _WIDE)
