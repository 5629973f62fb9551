"""From an engine's raw bytes to the kept log: masked, in large pieces, within the limit.

The first bytes go at once, later ones when enough came or a little time went by, so a flood costs
few calls and a slow step shows its lines as they come. Each append says how many raw bytes the
kept log stands for, so after a crash the engine is read from exactly there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Final

from fairway.kit.secret import Masker
from fairway.pipeline.runner.link import Link

FLUSH_BYTES: Final = 256 * 1024
FLUSH_S: Final = 0.05
_FULL: Final = 4 * FLUSH_BYTES  # the engine waits while so much is unkept
TAIL: Final = 64 * 1024  # of a log past its limit, the end is kept too


class LogWriter:
    """One attempt's log. `run` flushes beside the writers; `close` returns when all is kept."""

    def __init__(self, link: Link, step: int, *, attempt: int, masker: Masker, limit: int) -> None:
        self._link = link
        self._step = step
        self._attempt = attempt
        self._masker = masker
        self._limit = limit
        self._parts: deque[bytes] = deque()
        self._waiting = 0  # bytes in parts
        self._end = 0  # of the kept log
        self._consumed = 0  # raw bytes taken
        self._tail: bytearray | None = None  # past the limit: the last bytes seen
        self._dropped = 0
        self._filled = asyncio.Event()
        self._much = asyncio.Event()  # enough waits for an append
        self._lock = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def consumed(self) -> int:
        """Raw bytes taken so far: where an engine goes on after a cut."""
        return self._consumed

    async def resume(self, raw: int) -> None:
        """Go on where an earlier holder stopped: after `raw` raw bytes."""
        self._consumed = raw
        if raw:
            # An append of nothing tells where the kept log ends.
            self._end = await self._link.append(
                self._step, attempt=self._attempt, offset=0, raw=raw, data=b""
            )
            if self._end >= self._limit:
                self._tail = bytearray()

    def hide(self, values: Sequence[str]) -> None:
        """Mask further values. Only before the first write: what was held back would be lost."""
        self._masker = self._masker.knowing(values)

    async def write(self, data: bytes) -> None:
        """Take raw bytes; waits while too much is unkept."""
        await self._room.wait()
        self._consumed += len(data)
        self._put(self._masker.feed(data))

    async def note(self, text: str) -> None:
        """A line of ours, which stands for no raw bytes. Only where no engine writes the log."""
        await self.write(text.encode() + b"\n")

    def _put(self, masked: bytes) -> None:
        if self._tail is not None:
            self._drop(masked)
            return
        left = self._limit - self._end - self._waiting
        if len(masked) > left:
            kept, rest = masked[:left], masked[left:]
            self._add(kept + marker(self._limit))
            self._tail = bytearray()
            self._drop(rest)
        elif masked:
            self._add(masked)

    def _add(self, data: bytes) -> None:
        self._parts.append(data)
        self._waiting += len(data)
        self._filled.set()
        if self._waiting >= FLUSH_BYTES:
            self._much.set()
        if self._waiting >= _FULL:
            self._room.clear()

    def _drop(self, data: bytes) -> None:
        tail = self._tail
        if tail is None:
            return
        tail += data
        self._dropped += len(data)
        if len(tail) > 2 * TAIL:
            del tail[: len(tail) - TAIL]

    async def run(self) -> None:
        """Flush as bytes come, until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time() - FLUSH_S
        while True:
            await self._filled.wait()
            pause = last + FLUSH_S - loop.time()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._much.wait()
            async with self._lock:
                await self._keep()
            last = loop.time()

    async def flush(self) -> None:
        """Keep what waits. Safe beside `run`: appends never overtake each other."""
        async with self._lock:
            while self._parts:
                await self._keep()

    async def _keep(self) -> None:
        """One append of all that waits."""
        data = b"".join(self._parts)
        self._parts.clear()
        self._filled.clear()
        self._much.clear()
        if not data:
            return
        raw = self._consumed - self._masker.held
        end = self._end
        self._end, self._waiting = end + len(data), 0
        self._end = await self._link.append(
            self._step, attempt=self._attempt, offset=end, raw=raw, data=data
        )
        self._room.set()

    async def close(self) -> None:
        """Keep the rest and say that the log is whole."""
        self._put(self._masker.flush())
        if self._tail is not None and self._dropped:
            rest = bytes(self._tail[-TAIL:])
            lost = self._dropped - len(rest)
            self._tail, self._limit = None, self._end + self._waiting + 2 * TAIL
            self._add(f"[fairway] {lost} bytes were not kept; the end:\n".encode() + rest)
        await self.flush()
        await self._link.end_log(self._step, attempt=self._attempt)


def marker(limit: int) -> bytes:
    """What a log says where its limit cut it."""
    size = f"{limit // (1024 * 1024)} MiB" if limit >= 1024 * 1024 else f"{limit} bytes"
    return f"\n[fairway] the log reached its limit of {size}: only its end is kept\n".encode()
