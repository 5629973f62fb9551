"""A chart's archive as a tree of files, within limits."""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fairway.model.commit import TreeEntry
from fairway.model.errors import InvalidInput, NotFound, TooLarge

_FILES: Final = 20_000
_BYTES: Final = 256 * 1024 * 1024
_BROKEN: Final = (tarfile.TarError, EOFError, OSError, zlib.error)


class MemoryTree:
    """Files in memory, as `source.Tree`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(sorted(files.items()))
        self._ids = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        said = "\0".join(f"{path}\0{self._ids[path]}" for path in self._files)
        self._whole = hashlib.sha256(said.encode()).hexdigest()  # good for every folder of it
        self._data = {self._ids[path]: data for path, data in files.items()}
        self._folders = {"", *(folder for path in files for folder in _above(path))}

    async def entries(self, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """As `Tree.entries`."""
        found = {}
        for path in paths:
            if path in self._files:
                found[path] = self._entry(path)
            elif path in self._folders:
                name = posixpath.basename(path)
                found[path] = TreeEntry(name=name, path=path, kind="folder", sha=self._whole)
        return found

    async def below(self, path: str) -> list[TreeEntry]:
        """As `Tree.below`."""
        if path not in self._folders:
            raise NotFound(f"there is no folder {path!r}", code="no-path")
        head = f"{path}/" if path else ""
        return [self._entry(one) for one in self._files if one.startswith(head)]

    async def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """As `Tree.blobs`."""
        return {one: self._data[one] for one in ids}

    def _entry(self, path: str) -> TreeEntry:
        return TreeEntry(
            name=posixpath.basename(path),
            path=path,
            kind="file",
            sha=self._ids[path],
            size=len(self._files[path]),
        )


def _above(path: str) -> Iterator[str]:
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def unpacked(archive: bytes, where: str) -> MemoryTree:
    """The files of a chart, without its own folder's name. Blocks.

    Raises `InvalidInput` (`bad-chart`) for what is no chart's archive, and `TooLarge`.
    """
    files: dict[str, bytes] = {}
    total = 0
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(archive)) as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            for member in tar:
                total += member.size
                if total > _BYTES or len(files) > _FILES:
                    raise TooLarge(f"{where} unpacks to too much", code="chart-too-large")
                data = tar.extractfile(member) if member.isfile() else None
                if data is not None:
                    files[_inside(member.name, where)] = data.read()
    except _BROKEN as error:
        raise InvalidInput(f"{where} is no chart's archive: {error}", code="bad-chart") from None
    if "Chart.yaml" not in files:
        raise InvalidInput(f"{where} has no Chart.yaml", code="bad-chart")
    return MemoryTree(files)


def _inside(name: str, where: str) -> str:
    """A member's path below the chart's folder."""
    path = posixpath.normpath(name)
    top, _, inside = path.partition("/")
    if path.startswith("/") or top in {"", "..", "."} or ".." in path.split("/") or not inside:
        raise InvalidInput(f"{where} has a file {name!r} outside its folder", code="bad-chart")
    return inside
