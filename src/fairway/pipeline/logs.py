"""Logs of steps: appended as they come, indexed by line, followed live, searched, removed.

The bytes are blobs, the truth about them is a row: the blob is written first, then the row. After
a crash in between the row is behind, the same bytes come again, and what lay behind the row's end
is overwritten. So a follower never sees bytes that are not kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from msgspec import Struct

from fairway.kit.aio import Wake
from fairway.log import index
from fairway.model.errors import Conflict, NotFound
from fairway.model.step import Log
from fairway.store import logs as rows
from fairway.store import steps
from fairway.store.database import Database

LIMIT: Final = 64 * 1024 * 1024
SLACK: Final = 1024 * 1024  # a runner's own marker and tail come on top of the limit
LOOK_S: Final = 1.0
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 64 * 1024
_SHOWN: Final = 400


class Appender(Protocol):
    """A growing blob."""

    async def write(self, parts: Sequence[bytes]) -> None:
        """Append."""
        ...

    async def close(self, *, sync: bool = False) -> None:
        """End writing."""
        ...


class Store(Protocol):
    """What logs need of the blob store."""

    async def append(self, key: str, at: int, data: bytes) -> int:
        """Append at an offset that is the end."""
        ...

    async def writer(self, key: str, at: int = 0) -> Appender:
        """Go on at an offset; what lay behind it is cut off."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A range."""
        ...

    async def sync(self, key: str) -> None:
        """Bring it to the disk."""
        ...

    async def delete(self, key: str) -> bool:
        """Remove it."""
        ...


class Match(Struct, frozen=True, kw_only=True):
    """A line that a search found. `line` counts from 0."""

    line: int
    offset: int
    text: str


class Piece(Struct, frozen=True, kw_only=True):
    """Some bytes of a log, and where they begin."""

    offset: int
    data: bytes


def key_of(step_id: int, attempt: int) -> str:
    """The blob of a log."""
    return f"logs/{step_id // 1000}/{step_id}-{attempt}.log"


def index_key(step_id: int, attempt: int) -> str:
    """The blob of its index."""
    return f"logs/{step_id // 1000}/{step_id}-{attempt}.idx"


class Logs:
    """All logs of this Fairway."""

    def __init__(self, database: Database, store: Store, *, limit: int = LIMIT) -> None:
        self._database = database
        self._store = store
        self._limit = limit
        self._wakes: dict[tuple[int, int], Wake] = {}
        self._ends: dict[str, int] = {}  # blobs that this process wrote, and where they end

    # ---- writing ---------------------------------------------------------------------------------

    async def append(self, step: int, attempt: int, *, offset: int, raw: int, data: bytes) -> int:
        """Keep bytes; see `Dispatch.append`. Raises `Conflict` (code `log-gap`)."""
        row = await self._row(step, attempt)
        if row.truncated and row.size > self._limit + SLACK:
            return max(row.size, offset + len(data))
        if offset > row.size:
            raise Conflict(
                f"the log has {row.size} bytes; {offset} would leave a hole", code="log-gap"
            )
        new = data[row.size - offset :]
        if not new:
            return row.size
        room = self._limit + SLACK - row.size
        cut = len(new) > room
        if cut:
            new = new[: max(room, 0)] + _marker(self._limit)
        size = await self._write(row, new, raw=raw, cut=cut)
        return max(size, offset + len(data)) if cut else size

    async def _row(self, step: int, attempt: int) -> Log:
        found = await self._database.read(rows.find, step, attempt)
        if found is None:
            return await self._database.write(rows.begin, step, attempt)
        return found

    async def _write(self, row: Log, new: bytes, *, raw: int, cut: bool) -> int:
        entries, lines = index.extend(new, at=row.size, lines=row.lines)
        await self._put(key_of(row.step, row.attempt), row.size, new)
        if entries:
            at = index.entries(row.lines) * index.ENTRY
            await self._put(index_key(row.step, row.attempt), at, entries)
        size = row.size + len(new)
        cut = cut or row.truncated or size > self._limit  # a runner cuts at the same limit
        done = await self._database.write(
            rows.extend, row, size=size, raw=max(raw, row.raw), lines=lines, truncated=cut
        )
        self._wake(row.step, row.attempt)
        return size if done else row.size

    async def _put(self, key: str, at: int, data: bytes) -> None:
        if self._ends.get(key) == at:
            await self._store.append(key, at, data)
        else:
            writer = await self._store.writer(key, at)
            try:
                await writer.write([data])
            finally:
                await writer.close()
        self._ends[key] = at + len(data)

    async def end(self, step: int, attempt: int) -> None:
        """The log is whole: bring it to the disk, then say so."""
        row = await self._row(step, attempt)
        if row.done:
            return
        if row.size:
            await self._store.sync(key_of(step, attempt))
        await self._database.write(rows.end, step, attempt)
        self._ends.pop(key_of(step, attempt), None)
        self._ends.pop(index_key(step, attempt), None)
        self._wake(step, attempt)

    def _wake(self, step: int, attempt: int) -> None:
        if wake := self._wakes.get((step, attempt)):
            wake.set()

    # ---- reading ---------------------------------------------------------------------------------

    async def about(self, step: int, attempt: int | None = None) -> Log:
        """What is kept of a log; the newest attempt's unless said. Raises `NotFound`."""
        found = await self._database.read(rows.of_step, step)
        wanted = [row for row in found if attempt in {None, row.attempt}]
        if not wanted:
            raise NotFound(f"step {step} has no log", code="log-not-found")
        if wanted[-1].removed:
            raise NotFound(
                "the log was removed by retention",
                code="log-removed",
                remedy="keep logs longer: retention.logs_days in the settings",
            )
        return wanted[-1]

    async def read(
        self, step: int, attempt: int, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Kept bytes from `start` up to `end`, in chunks. Raises `NotFound`."""
        row = await self.about(step, attempt)
        last = row.size if end is None else min(end, row.size)
        if start < last:
            async for chunk in self._store.read(key_of(step, attempt), start, last):
                yield chunk

    async def offset_of(self, step: int, attempt: int, line: int) -> int:
        """Where a line (counted from 0) begins; the log's end when it has fewer lines."""
        row = await self.about(step, attempt)
        if line > row.lines:
            return row.size
        at, number = await self._before(row, line)
        while number < line:
            async for chunk in self.read(step, attempt, start=at):
                found = chunk.count(b"\n")
                if number + found < line:
                    number, at = number + found, at + len(chunk)
                    continue
                place = -1
                while number < line:
                    place = chunk.index(b"\n", place + 1)
                    number += 1
                return at + place + 1
            return row.size
        return at

    async def _before(self, row: Log, line: int) -> tuple[int, int]:
        """(offset, line) of the indexed line at or before this one."""
        slot = min(index.slot(line), index.entries(row.lines) - 1)
        if slot < 0:
            return 0, 0
        at = slot * index.ENTRY
        key = index_key(row.step, row.attempt)
        entry = b"".join([part async for part in self._store.read(key, at, at + index.ENTRY)])
        return index.read(entry), (slot + 1) * index.STRIDE

    async def lines(
        self, step: int, attempt: int, *, first: int, count: int
    ) -> AsyncIterator[bytes]:
        """The bytes of `count` lines from line `first` (counted from 0) on."""
        start = await self.offset_of(step, attempt, first)
        end = await self.offset_of(step, attempt, first + count)
        async for chunk in self.read(step, attempt, start=start, end=end):
            yield chunk

    async def follow(self, step: int, attempt: int, *, start: int = 0) -> AsyncIterator[Piece]:
        """Everything from byte `start` on as it comes, until the log is whole.

        Resume after a cut with the last piece's offset plus its length.
        """
        wake = self._wakes.setdefault((step, attempt), Wake())
        at = start
        while True:
            row = await self._database.read(rows.find, step, attempt)
            if row is not None and row.removed:
                return
            if row is not None and row.size > at:
                async for chunk in self._store.read(key_of(step, attempt), at, row.size):
                    yield Piece(offset=at, data=chunk)
                    at += len(chunk)
            elif (row is not None and row.done) or await self._never(step, attempt, row):
                return
            else:
                await wake.wait(LOOK_S)

    async def _never(self, step: int, attempt: int, row: Log | None) -> bool:
        """Whether nothing will come: the step has ended (or gone on) without a log."""
        if row is not None:
            return False
        found = await self._database.read(steps.find, step)
        return found.attempt > attempt or found.status.done

    async def search(
        self, step: int, attempt: int, text: str, *, exact_case: bool = False, limit: int = 1000
    ) -> list[Match]:
        """Lines that hold a text, first ones first, at most `limit`. Memory stays bounded."""
        if not text:
            return []
        found: list[Match] = []
        needle = text.encode() if exact_case else text.encode().lower()
        async for number, offset, line in self._each_line(step, attempt):
            if needle in (line if exact_case else line.lower()):
                shown = line[:_SHOWN].decode("utf-8", "replace").rstrip("\r\n")
                found.append(Match(line=number, offset=offset, text=shown))
                if len(found) >= limit:
                    break
        return found

    async def _each_line(self, step: int, attempt: int) -> AsyncIterator[tuple[int, int, bytes]]:
        """(number, offset, bytes) of each line; one past `_LONGEST_LINE` comes in pieces."""
        number, at, rest = 0, 0, b""
        async for chunk in self.read(step, attempt):
            parts = (rest + chunk).split(b"\n")
            rest = parts.pop()
            for part in parts:
                yield number, at, part
                number, at = number + 1, at + len(part) + 1
            while len(rest) > _LONGEST_LINE:
                yield number, at, rest[:_LONGEST_LINE]
                at, rest = at + _LONGEST_LINE, rest[_LONGEST_LINE:]
        if rest:
            yield number, at, rest

    # ---- retention -------------------------------------------------------------------------------

    async def remove(self, row: Log) -> None:
        """Drop a log's bytes and leave a note of it. Safe to repeat."""
        await self._database.write(rows.removed, row.id)
        await self._store.delete(key_of(row.step, row.attempt))
        await self._store.delete(index_key(row.step, row.attempt))


def _marker(limit: int) -> bytes:
    return (
        f"\n[fairway] the log reached its limit of {limit} bytes: the rest is not kept\n".encode()
    )
