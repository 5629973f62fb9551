"""Blobs: bytes by key, in a folder or in S3. One contract; suite: `testing/contracts/blob.py`.

A key is `segment/segment/...` (letters, digits, `._+=@-`; no segment starts with a dot). Content
that `put` or `seal` made appears whole or not at all, and is on the disk when they return. Content
that `append` or a `Writer` makes grows under its key and may be read meanwhile.

Everything here raises `Unavailable` (`disk-full`, `blobs-unavailable`; may be retried) when the
storage fails, `NotFound` (`blob-not-found`) for an absent key, `InvalidInput` (`bad-blob-key`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from fairway.model.errors import Conflict, FairwayError, InvalidInput, NotFound, Unavailable

CHUNK: Final = 1 << 20  # bytes that are held in memory at a time
_KEY: Final = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._+=@-]+(?:/[A-Za-z0-9._+=@-]+)*")
_LONGEST: Final = 1000
_LONGEST_SEGMENT: Final = 200


class Item(Struct, frozen=True):
    """A key that is there. `modified` (milliseconds UTC) is the last write, or the sealing."""

    key: str
    size: int
    modified: int


class Writer(Protocol):
    """Appends to one growing key; one writer a key at a time. Close it, whatever happens."""

    size: int  # bytes of the key so far

    async def write(self, parts: Sequence[bytes]) -> None:
        """Append `parts`, one after another."""

    async def close(self, *, sync: bool = False) -> None:
        """End writing. With `sync` everything is on the disk when this returns."""


class Blobs(Protocol):
    """A place for bytes. Safe to share between tasks and threads."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store a whole, replacing what was there. Returns its size in bytes."""

    async def size(self, key: str) -> int | None:
        """The size in bytes, or None when there is no such key."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes `start` up to `end` (or to what is there now), in chunks of at most CHUNK."""

    async def delete(self, key: str) -> bool:
        """Remove. Returns whether it was there; safe to repeat."""

    async def list(self, prefix: str = "") -> Sequence[Item]:
        """All items whose key starts with `prefix`, by key; no half-made `put` among them."""

    async def append(self, key: str, at: int, data: bytes) -> int:
        """Append `data` that begins at offset `at`; what is there already is not written twice.

        Returns the new size. Raises Conflict (`blob-gap`) when bytes before `at` are missing.
        It outlives the process; `sync` makes it outlive the machine.
        """

    async def sync(self, key: str) -> None:
        """Bring what was appended so far to the disk."""

    async def writer(self, key: str, at: int = 0) -> Writer:
        """Go on writing at offset `at`; what lay behind it is cut off.

        Raises Conflict (`blob-gap`) when the key is shorter than `at`.
        """

    async def seal(self, key: str, to: str) -> None:
        """Rename a grown key and bring it to the disk; replaces `to`.

        Raises NotFound when there is no such key.
        """

    def path(self, key: str) -> Path | None:
        """The file that holds a key, if this is a folder: the kernel may send it."""

    async def free(self) -> int | None:
        """Bytes that may still be stored, or None where nobody can say."""


def check_key(key: str) -> str:
    """The key itself. Raises InvalidInput when it may not be one."""
    longest = max((len(part) for part in key.split("/")), default=0)
    if len(key) > _LONGEST or longest > _LONGEST_SEGMENT or not _KEY.fullmatch(key):
        raise InvalidInput(
            f"{key[:80]!r} cannot be the key of a blob",
            code="bad-blob-key",
            remedy="use segments of letters, digits and ._+=@- that do not start with a dot",
        )
    return key


def absent(key: str) -> NotFound:
    """The error for a key that is not there."""
    return NotFound(
        f"there is no blob {key!r}",
        code="blob-not-found",
        remedy="retention may have removed it; `fairway doctor` looks for lost blobs",
    )


def gap(key: str, at: int, size: int) -> Conflict:
    """The error for an append behind the end."""
    return Conflict(
        f"blob {key!r} has {size} bytes; writing at {at} would leave a hole",
        code="blob-gap",
        remedy=f"send again from byte {size}",
    )


def full(where: str) -> Unavailable:
    """The error for storage without room."""
    return Unavailable(
        f"no space is left in {where}",
        code="disk-full",
        remedy="free disk space or move the data directory; retention frees some every hour",
    )


def broken(what: str) -> FairwayError:
    """The error for storage that does not work."""
    return Unavailable(
        f"the blob store does not answer: {what}",
        code="blobs-unavailable",
        remedy="look at the disk, its permissions and mounts; `fairway doctor`",
    )
