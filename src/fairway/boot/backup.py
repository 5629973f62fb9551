"""`fairway backup` and `fairway restore`: database, Git, blobs and keys in one tar file.

Taken while Fairway runs, in an order that needs no standstill: the database's snapshot first, then
Git's refs before Git's objects, then blobs. What is newer than the snapshot is harmless: a push
that came later is found at the next start, when refs are compared. Collection of garbage is held
off by the lease `collect` so that nothing the snapshot names is removed meanwhile.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from fairway import __version__
from fairway.kit import clock
from fairway.kit.files import writing_private
from fairway.model.errors import BadFile, Conflict, Unavailable
from fairway.settings import Settings
from fairway.store import dump, lease
from fairway.store.database import Database

FORMAT: Final = 1
_HOLD_SECONDS: Final = 6 * 3600.0
_REFS: Final = ("HEAD", "config", "packed-refs", "description", "refs", "info", "hooks")
# folders of the data directory, in the order in which they are copied
_FOLDERS: Final = ("keys", "git", "blobs")

Say = Callable[[str], None]


class Manifest(Struct, frozen=True):
    """The first member of the file."""

    format: int
    version: str
    taken: int
    rows: int


def backup(settings: Settings, database: Database, path: Path, say: Say) -> Manifest:
    """Write a backup to `path` (mode 0600, atomically). Blocks.

    Raises `Unavailable` (code `backup-busy`) while garbage is collected: may be retried.
    """
    holder = f"backup/{os.getpid()}"
    if not database.write_now(lease.acquire, lease.COLLECT, holder, _HOLD_SECONDS):
        raise Unavailable(
            "garbage is being collected right now", code="backup-busy", remedy="try again shortly"
        )
    try:
        with (
            writing_private(path, durable=True) as raw,
            gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            manifest = _write(settings, database, tar, say)
    finally:
        database.write_now(lease.release, lease.COLLECT, holder)
    return manifest


def restore(
    settings: Settings, path: Path, prepare: Callable[[Database], None], say: Say
) -> Manifest:
    """Fill an empty data directory (and database) from a backup. Blocks.

    `prepare` brings an empty database to the schema. Raises `Conflict` (code `data-not-empty`)
    where something would be overwritten, and `BadFile` for what is no backup.
    """
    _check_empty(settings)
    settings.data.mkdir(parents=True, exist_ok=True)
    settings.data.chmod(0o700)
    try:
        with tarfile.open(path, mode="r|gz") as tar, tempfile.TemporaryFile() as rows:
            manifest = _unpack(settings, tar, rows, say)
            rows.seek(0)
            database = Database(settings.database_url)
            try:
                prepare(database)
                dump.load(database, rows)
            finally:
                database.close()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise BadFile(f"not a whole backup: {error}", where=str(path)) from error
    say(f"restored {manifest.rows} rows, taken {clock.text(manifest.taken)}")
    return manifest


def _write(settings: Settings, database: Database, tar: tarfile.TarFile, say: Say) -> Manifest:
    with tempfile.TemporaryFile(dir=settings.data) as rows:
        count = 0
        for line in dump.dump(database):
            rows.write(line)
            count += 1
        size = rows.tell()
        rows.seek(0)
        manifest = Manifest(format=FORMAT, version=__version__, taken=clock.now(), rows=count)
        _add_bytes(tar, "manifest.json", msgspec.json.encode(manifest))
        info = tarfile.TarInfo("database.jsonl")
        info.size, info.mode = size, 0o600
        tar.addfile(info, rows)
    say(f"database: {count} rows")
    for folder in _FOLDERS:
        number = 0
        for file in _files(settings.data / folder):
            number += _add_file(tar, file, str(file.relative_to(settings.data)))
        say(f"{folder}: {number} files")
    return manifest


def _files(root: Path) -> Iterator[Path]:
    """Files below `root`; a Git repository's refs before its objects."""
    if not root.is_dir():
        return
    for entry in sorted(root.iterdir(), key=_refs_first):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif not entry.name.endswith(".lock") and not entry.name.startswith("tmp_"):
            yield entry


def _refs_first(entry: Path) -> tuple[bool, str]:
    return (entry.name not in _REFS, entry.name)


def _add_file(tar: tarfile.TarFile, file: Path, name: str) -> int:
    """Add a file at the size it has now; one that vanished meanwhile is no part of the snapshot."""
    try:
        with file.open("rb") as content:
            info = tar.gettarinfo(arcname=name, fileobj=content)
            info.uname = info.gname = ""
            tar.addfile(info, content)
    except FileNotFoundError:
        return 0
    return 1


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


def _private(path: Path) -> io.BufferedWriter:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    return os.fdopen(fd, "wb")


def _check_empty(settings: Settings) -> None:
    for name in (*_FOLDERS, "fairway.db"):
        if (settings.data / name).exists():
            raise Conflict(
                f"{settings.data / name} exists: a restore overwrites nothing",
                code="data-not-empty",
                remedy="give an empty folder with `--data`, or move this one away",
            )


def _unpack(settings: Settings, tar: tarfile.TarFile, rows: IO[bytes], say: Say) -> Manifest:
    manifest: Manifest | None = None
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            continue
        if member.name == "manifest.json":
            manifest = _manifest(content.read())
        elif member.name == "database.jsonl":
            _copy(content, rows)
        elif member.name.split("/")[0] in _FOLDERS:
            target = settings.data / _inside(member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with _private(target) as out:
                _copy(content, out)
            target.chmod(member.mode & 0o755)
    if manifest is None:
        raise BadFile("it holds no manifest", where="manifest.json")
    say(f"files of {manifest.version} unpacked")
    return manifest


def _inside(name: str) -> str:
    """A member's name. Raises `BadFile` for one that leads out.

    Not by tarfile's own filters: the Python of Debian 12 (3.11.2) has none.
    """
    if ".." in name.split("/"):
        raise BadFile("a name in it leads out of the data directory", where=name)
    return name


def _manifest(content: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadFile(f"not a backup's manifest: {error}", where="manifest.json") from error
    if manifest.format != FORMAT:
        raise BadFile(
            f"format {manifest.format} is not ours ({FORMAT})",
            where="manifest.json",
            remedy=f"restore it with Fairway {manifest.version}",
        )
    return manifest


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(1 << 20):
        target.write(chunk)
