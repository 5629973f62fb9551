"""Hands a body to a child in pieces as large as the child is slow."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

_MOST: Final = 4 * 1024 * 1024


class Pump:
    """Takes small pieces while the child is busy with earlier ones.

    Without it the client's side waits whenever the child does, and the child whenever the client
    does: taking turns, 50 MB take a third longer. At most 4 MiB are held.
    """

    def __init__(self, sink: socket.socket) -> None:
        """`sink`: non-blocking; closed by `run` at the body's end."""
        self._sink = sink
        self._held: list[bytes] = []
        self._size = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._whole = False
        self._broken = False

    async def give(self, data: bytes) -> bool:
        """Take a piece; wait while too much is held. Returns whether the child still listens."""
        if self._broken:
            return False
        self._held.append(data)
        self._size += len(data)
        self._changed.set()
        if self._size > _MOST:
            self._room.clear()
            await self._room.wait()
        return not self._broken

    def end(self) -> None:
        """The body is whole: the child is told once it has all of it."""
        self._whole = True
        self._changed.set()

    async def run(self) -> None:
        """Pass on until the end, or until the child no longer listens."""
        loop = asyncio.get_running_loop()
        try:
            while self._held or not self._whole:
                await self._changed.wait()
                self._changed.clear()
                piece = b"".join(self._held)
                self._held, self._size = [], 0
                self._room.set()
                if piece:
                    await loop.sock_sendall(self._sink, piece)
        except (BrokenPipeError, ConnectionResetError):
            self._broken = True
        finally:
            self._sink.close()
            self._room.set()
