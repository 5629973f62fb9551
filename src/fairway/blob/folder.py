"""Blobs in a folder: a file for each key.

Half-made files lie in `.partial/` and count for nothing until they have been brought to the disk
and renamed; a crash's leftovers there are removed when the folder is opened a day later or more.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from fairway.blob.blob import CHUNK, Item, absent, broken, check_key, full, gap
from fairway.kit import clock
from fairway.kit.aio import blocking

T = TypeVar("T")

_PARTIAL: Final = ".partial"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FLUSH_EVERY: Final = 4 << 20  # bytes after which write-back starts: the last fsync is short
_TRIES: Final = 8
_OLD_MS: Final = 24 * 3600 * 1000
_SYNC_FILE_RANGE_WRITE: Final = 2
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux has it


class Folder:
    """`Blobs` below one directory, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with _translated(root):
            (root / _PARTIAL).mkdir(parents=True, exist_ok=True)
            _remove_old(root / _PARTIAL)

    def path(self, key: str) -> Path:
        """The file of a key (which may not exist)."""
        return self.root / check_key(key)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """See Blobs."""
        target = self.path(key)
        partial = self.root / _PARTIAL / secrets.token_hex(16)
        writer = await blocking(_FileWriter.open, partial, 0, self.root)
        try:
            batch, held = [], 0
            async for chunk in chunks:
                batch.append(chunk)
                held += len(chunk)
                if held >= CHUNK:
                    await writer.write(batch)
                    batch, held = [], 0
            await writer.write(batch)
            await writer.close(sync=True)
            await blocking(self._rename, partial, target)
        except BaseException:
            await writer.close()
            partial.unlink(missing_ok=True)
            raise
        return writer.size

    async def size(self, key: str) -> int | None:
        """See Blobs."""
        return await blocking(self._size, self.path(key))

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blobs."""
        file = await blocking(self._open, key)
        try:
            at = start
            while end is None or at < end:
                want = CHUNK if end is None else min(CHUNK, end - at)
                data = await blocking(self._pread, file, want, at)
                if not data:
                    return
                at += len(data)
                yield data
        finally:
            os.close(file)

    async def delete(self, key: str) -> bool:
        """See Blobs."""
        return await blocking(self._delete, self.path(key))

    async def list(self, prefix: str = "") -> Sequence[Item]:
        """See Blobs."""
        return await blocking(_listed, self.root, prefix)

    async def append(self, key: str, at: int, data: bytes) -> int:
        """See Blobs."""
        return await blocking(self._append, key, at, data)

    async def sync(self, key: str) -> None:
        """See Blobs."""
        await blocking(self._sync, key)

    async def writer(self, key: str, at: int = 0) -> _FileWriter:
        """See Blobs."""
        return await blocking(_FileWriter.open, self.path(key), at, self.root)

    async def seal(self, key: str, to: str) -> None:
        """See Blobs."""
        await blocking(self._seal, key, self.path(to))

    async def free(self) -> int:
        """See Blobs."""
        return (await blocking(shutil.disk_usage, self.root)).free

    def _size(self, file: Path) -> int | None:
        with _translated(self.root):
            try:
                return file.stat().st_size if file.is_file() else None
            except (FileNotFoundError, NotADirectoryError):
                return None

    def _open(self, key: str) -> int:
        with _translated(self.root):
            try:
                return os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                raise absent(key) from None

    def _pread(self, file: int, count: int, at: int) -> bytes:
        with _translated(self.root):
            return os.pread(file, count, at)

    def _delete(self, file: Path) -> bool:
        with _translated(self.root):
            try:
                file.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return False
            _remove_empty(file.parent, self.root)
            return True

    def _append(self, key: str, at: int, data: bytes) -> int:
        target = self.path(key)
        with _translated(self.root):
            file = _open_to_write(target)
            try:
                size = os.fstat(file).st_size
                if at > size:
                    raise gap(key, at, size)
                rest = memoryview(data)[size - at :]
                _write_all(file, rest, size)
                return size + len(rest)
            finally:
                os.close(file)

    def _sync(self, key: str) -> None:
        file = self._open(key)
        with _translated(self.root):
            try:
                os.fsync(file)
            finally:
                os.close(file)
            _sync_folders(self.path(key).parent, self.root)

    def _seal(self, key: str, target: Path) -> None:
        file = self._open(key)
        with _translated(self.root):
            try:
                os.utime(file)  # its age counts from now on
                os.fsync(file)
            finally:
                os.close(file)
        self._rename(self.path(key), target)
        _remove_empty(self.path(key).parent, self.root)

    def _rename(self, source: Path, target: Path) -> None:
        with _translated(self.root):
            _in_its_folder(target, lambda: source.replace(target))
            _sync_folders(target.parent, self.root)


class _FileWriter:
    """`Writer` on a file; starts the kernel's write-back while more is coming in."""

    def __init__(self, file: int, size: int, root: Path) -> None:
        self.size = size
        self._file = file
        self._root = root
        self._flushed = size

    @classmethod
    def open(cls, path: Path, at: int, root: Path) -> _FileWriter:
        """Open a file to go on at `at`. Blocks."""
        with _translated(root):
            file = _open_to_write(path)
            try:
                size = os.fstat(file).st_size
                if size < at:
                    raise gap(path.name, at, size)  # noqa: TRY301 the file is closed below
                os.ftruncate(file, at)
            except BaseException:
                os.close(file)
                raise
            return cls(file, at, root)

    async def write(self, parts: Sequence[bytes]) -> None:
        """See Writer."""
        await blocking(self.write_now, parts)

    def write_now(self, parts: Sequence[bytes]) -> None:
        """`write` for callers that may block."""
        with _translated(self._root):
            for part in parts:
                _write_all(self._file, memoryview(part), self.size)
                self.size += len(part)
            if self.size - self._flushed >= _FLUSH_EVERY:
                _start_write_back(self._file, self._flushed, self.size - self._flushed)
                self._flushed = self.size

    async def close(self, *, sync: bool = False) -> None:
        """See Writer. Safe to repeat."""
        await blocking(self.close_now, sync=sync)

    def close_now(self, *, sync: bool) -> None:
        """`close` for callers that may block."""
        file, self._file = self._file, -1
        if file < 0:
            return
        with _translated(self._root):
            try:
                if sync:
                    os.fsync(file)
            finally:
                os.close(file)


def _remove_old(folder: Path) -> None:
    """Remove what a crash left; another process may be at work on what is younger."""
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if clock.now() - file.stat().st_mtime * 1000 > _OLD_MS:
                file.unlink()


@contextlib.contextmanager
def _translated(root: Path) -> Iterator[None]:
    """Raise the tree's errors instead of the system's."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(str(root)) from error
        raise broken(f"{error.strerror or error} ({error.filename or root})") from error


def _start_write_back(file: int, start: int, count: int) -> None:
    """Have the kernel write these pages while more comes in; where it cannot, nothing is lost."""
    if _sync_file_range is not None:
        _sync_file_range(file, ctypes.c_int64(start), ctypes.c_int64(count), _SYNC_FILE_RANGE_WRITE)


def _open_to_write(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    return _in_its_folder(path, lambda: os.open(path, flags, 0o640))


def _in_its_folder(path: Path, act: Callable[[], T]) -> T:
    """Do what needs the folder of `path`; a deletion may take an empty one away meanwhile."""
    for _ in range(_TRIES):
        try:
            return act()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
    return act()


def _write_all(file: int, data: memoryview, at: int) -> None:
    while data:
        done = os.pwrite(file, data, at)
        data, at = data[done:], at + done


def _sync_folders(folder: Path, root: Path) -> None:
    """Bring the names on the way down to `folder` to the disk."""
    for one in (folder, *folder.parents):
        file = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        if one == root:
            return


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove folders that hold nothing any more, but never a first-level one."""
    while root not in {folder, folder.parent}:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _listed(root: Path, prefix: str) -> list[Item]:
    folder, _, _ = prefix.rpartition("/")
    found: list[Item] = []
    with _translated(root):
        for path, folders, names in os.walk(root / check_key(folder) if folder else root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                file = Path(path, name)
                key = file.relative_to(root).as_posix()
                if key.startswith(prefix):
                    found.extend(_item(file, key))
    return sorted(found, key=lambda item: item.key)


def _item(file: Path, key: str) -> Iterator[Item]:
    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
        facts = file.stat()
        yield Item(key, facts.st_size, int(facts.st_mtime * 1000))
