"""A build's context as a tar stream, read without ever leaving the context's folder.

Every file is opened relative to its already open folder and without following links, so that
neither `..` nor a link that a running step swaps in at the wrong moment leads outside. Links go
into the tar as links. The order, and so the bytes, are the same for the same files.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct, field

from fairway.image.ignore import Ignore
from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput, TooLarge

LIMIT_BYTES: Final = 8 * 1024**3
LIMIT_FILES: Final = 1_000_000
_LINK_PARTS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 1024 * 1024


class Context(Struct, frozen=True, kw_only=True):
    """What goes into the tar. `extra` files are added, or take the place of their namesakes."""

    root: Path
    folder: str
    ignore: Ignore
    extra: Mapping[str, bytes] = field(default_factory=dict)
    limit_bytes: int = LIMIT_BYTES


def _outside(path: str) -> InvalidInput:
    return InvalidInput(
        f"{path!r} leads out of the workspace",
        code="context-outside",
        remedy="name a folder or file of the repository, without `..` or links that lead away",
    )


def inside(root: Path, path: str) -> str:
    """`path` below `root` with its links resolved, as a relative path; raises `context-outside`."""
    top = root.resolve()
    real = (top / path.lstrip("/")).resolve() if path != str(root) else top
    if not real.is_relative_to(top):
        raise _outside(path)
    return str(real.relative_to(top))


def open_inside(root: Path, path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of `path` below `root`, each part opened without following links.

    Raises `InvalidInput` (`context-outside`) for a link on the way, `FileNotFoundError`.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _outside(path)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        want = flags if last else os.O_RDONLY | os.O_DIRECTORY
        try:
            there = os.open(part, want | _LINK_PARTS | os.O_NONBLOCK, dir_fd=here)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise _outside(path) from error
        finally:
            os.close(here)
        here = there
    return here


def read_inside(root: Path, path: str, limit: int) -> bytes:
    """A file below `root`. Raises as `open_inside` does, and `TooLarge`."""
    handle = open_inside(root, inside(root, path))
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{path!r} is not a file", code="context-not-a-file")
        if found.st_size > limit:
            raise TooLarge(f"{path!r} is larger than {limit} bytes", code="file-too-large")
        return file.read(limit + 1)


def _entries(top: int, ignore: Ignore) -> Iterator[tuple[str, int, str]]:
    """(path, its folder's descriptor, name) in a fixed order; folders before what they hold."""
    for path, folders, files, here in os.fwalk(".", dir_fd=top, follow_symlinks=False):
        prefix = path.removeprefix(".").lstrip("/")
        folders.sort()
        for name in list(folders):
            full = f"{prefix}/{name}" if prefix else name
            out = ignore.leaves_out(full)
            if out and not ignore.has_exceptions:
                folders.remove(name)
            elif not out:
                yield full, here, name
        for name in sorted(files):
            full = f"{prefix}/{name}" if prefix else name
            if not ignore.leaves_out(full):
                yield full, here, name


def _describe(path: str, found: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode = stat.S_IMODE(found.st_mode)
    entry.mtime = int(found.st_mtime)
    return entry


def _entry(path: str, folder: int, name: str) -> Iterator[bytes]:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    entry = _describe(path, found)
    if stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
        yield _header(entry)
    elif stat.S_ISLNK(found.st_mode):
        entry.type = tarfile.SYMTYPE
        entry.linkname = os.readlink(name, dir_fd=folder)
        yield _header(entry)
    elif stat.S_ISREG(found.st_mode):
        handle = os.open(name, os.O_RDONLY | _LINK_PARTS | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(handle, "rb", buffering=0) as file:
            entry.size = os.fstat(handle).st_size
            yield _header(entry)
            yield from _exactly(file, entry.size)


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _exactly(file: BinaryIO | FileIO, size: int) -> Iterator[bytes]:
    """`size` bytes and the padding: zeros for what a file lost since its size was asked."""
    left = size
    while left:
        data = file.read(min(left, _CHUNK)) or bytes(min(left, _CHUNK))
        left -= len(data)
        yield data
    yield bytes(-size % tarfile.BLOCKSIZE)


def _folder_parts(context: Context) -> Iterator[bytes]:
    top = open_inside(context.root, context.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for count, (path, folder, name) in enumerate(_entries(top, context.ignore)):
            if count >= LIMIT_FILES:
                raise TooLarge(
                    f"the build context has more than {LIMIT_FILES} files", code="context-too-large"
                )
            if path not in context.extra:
                with suppress(FileNotFoundError):  # it went away meanwhile
                    yield from _entry(path, folder, name)
    finally:
        os.close(top)


def _parts(context: Context) -> Iterator[bytes]:
    yield from _folder_parts(context)
    for path, data in sorted(context.extra.items()):
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), 0o644
        yield _header(entry)
        yield data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def chunks(context: Context) -> Iterator[bytes]:
    """The tar in pieces of about a megabyte.

    Raises `TooLarge` (`context-too-large`), `InvalidInput` (`context-outside`).
    """
    buffer, total = bytearray(), 0
    for part in _parts(context):
        total += len(part)
        if total > context.limit_bytes:
            raise TooLarge(
                f"the build context is larger than {context.limit_bytes} bytes",
                code="context-too-large",
                remedy="leave files out by a .dockerignore file",
            )
        buffer += part
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


class Tar:
    """The context as an async stream. `error` is what stopped it, if anything did."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.error: Exception | None = None
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = chunks(self._context)
        try:
            while piece := await blocking(next, pieces, b""):
                self.size += len(piece)
                yield piece
        except OSError as error:
            self.error = InvalidInput(
                f"the build context cannot be read: {error}", code="context-unreadable"
            )
            raise self.error from error
        except Exception as error:
            self.error = error
            raise
