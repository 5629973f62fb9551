"""Blobs in memory: for unit tests and the simulated world. No threads, no files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fairway.blob.blob import CHUNK, Item, absent, check_key, full, gap
from fairway.kit import clock


class MemoryBlobs:
    """`Blobs` in a dictionary. `room` is how many bytes it takes in all (None: any number).

    What it holds outlives a crash of the simulated application, as a folder's files do.
    """

    def __init__(self, *, room: int | None = None) -> None:
        self.room = room
        self.contents: dict[str, bytearray] = {}
        self._modified: dict[str, int] = {}

    def path(self, key: str) -> Path | None:
        """See Blobs: there is no file."""
        check_key(key)
        return None

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """See Blobs."""
        check_key(key)
        whole = bytearray()
        async for chunk in chunks:
            self._reserve(len(whole) + len(chunk))
            whole += chunk
        self._set(key, whole)
        return len(whole)

    async def size(self, key: str) -> int | None:
        """See Blobs."""
        held = self.contents.get(check_key(key))
        return None if held is None else len(held)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blobs."""
        held = self._held(key)
        at = start
        while at < (stop := len(held) if end is None else min(end, len(held))):
            data = bytes(held[at : min(at + CHUNK, stop)])
            at += len(data)
            yield data

    async def delete(self, key: str) -> bool:
        """See Blobs."""
        self._modified.pop(check_key(key), None)
        return self.contents.pop(key, None) is not None

    async def list(self, prefix: str = "") -> Sequence[Item]:
        """See Blobs."""
        return [
            Item(key, len(held), self._modified[key])
            for key, held in sorted(self.contents.items())
            if key.startswith(prefix)
        ]

    async def append(self, key: str, at: int, data: bytes) -> int:
        """See Blobs."""
        check_key(key)
        held = self.contents.get(key, bytearray())
        if at > len(held):
            raise gap(key, at, len(held))
        rest = data[len(held) - at :]
        self._reserve(len(rest))
        held += rest
        self._set(key, held)
        return len(held)

    async def sync(self, key: str) -> None:
        """See Blobs."""
        self._held(key)

    async def writer(self, key: str, at: int = 0) -> _MemoryWriter:
        """See Blobs."""
        held = self.contents.get(check_key(key), bytearray())
        if at > len(held):
            raise gap(key, at, len(held))
        del held[at:]
        self._set(key, held)
        return _MemoryWriter(self, key, at)

    async def seal(self, key: str, to: str) -> None:
        """See Blobs."""
        held = self._held(key)
        self._set(check_key(to), held)
        await self.delete(key)

    async def free(self) -> int | None:
        """See Blobs."""
        return None if self.room is None else self.room - self._used()

    def _used(self) -> int:
        return sum(len(held) for held in self.contents.values())

    def _held(self, key: str) -> bytearray:
        held = self.contents.get(check_key(key))
        if held is None:
            raise absent(key)
        return held

    def _set(self, key: str, held: bytearray) -> None:
        self.contents[key] = held
        self._modified[key] = clock.now()

    def _reserve(self, more: int) -> None:
        if self.room is not None and self._used() + more > self.room:
            raise full("memory")


class _MemoryWriter:
    """See Writer."""

    def __init__(self, blobs: MemoryBlobs, key: str, at: int) -> None:
        self.size = at
        self._blobs = blobs
        self._key = key

    async def write(self, parts: Sequence[bytes]) -> None:
        """See Writer."""
        for part in parts:
            self.size = await self._blobs.append(self._key, self.size, part)

    async def close(self, *, sync: bool = False) -> None:
        """See Writer."""
        if sync:
            await self._blobs.sync(self._key)
