"""The folders of stages on the runner's machine, kept for a while so that a retry can go on."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.files import replace_file
from fairway.pipeline.graph import StageGraph

_SAFE = re.compile(r"[^a-zA-Z0-9_.-]+")


class Workspaces(Protocol):
    """Where the working trees of stages are. `key` is a lease's workspace."""

    def folder(self, key: str) -> Path:
        """The folder of a key, whether it exists or not."""
        ...

    async def whole(self, key: str) -> bool:
        """Whether the folder is there and was not left half rebuilt."""
        ...

    async def rebuilding(self, key: str, *, by: str) -> frozenset[int]:
        """Begin to make a folder anew: it is not whole until `rebuilt`.

        Returns the steps that were `remade` before the stage `by` was interrupted in it; what
        another stage left half made goes.
        """
        ...

    async def remade(self, key: str, step: int) -> None:
        """A step that makes the folder anew has passed: it need not run again."""
        ...

    async def rebuilt(self, key: str) -> None:
        """The folder is whole again."""
        ...

    async def prune(self, keep: Sequence[str], *, older_s: float, most_bytes: int = 0) -> None:
        """Remove folders of other keys: those that nothing has touched for so long, then the
        eldest, until the rest takes at most `most_bytes` of the disk (0: without limit).
        """
        ...


class FolderWorkspaces:
    """Workspaces under one folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sizes: dict[str, tuple[float, int]] = {}  # name -> when it changed, bytes

    def folder(self, key: str) -> Path:
        """One flat folder name for each key."""
        return self._root / _name(key)

    def _mark(self, key: str) -> Path:
        return self._root / f"{_name(key)}.rebuilding"

    async def whole(self, key: str) -> bool:
        """The folder exists and no mark stands beside it."""
        return await blocking(lambda: self.folder(key).is_dir() and not self._mark(key).exists())

    async def rebuilding(self, key: str, *, by: str) -> frozenset[int]:
        """Drop what is there and set the mark. Where `by` has set it, the making goes on.

        The mark's first line is the stage, each further one a step that was remade.
        """

        def begin() -> frozenset[int]:
            self._root.mkdir(parents=True, exist_ok=True)
            mark = self._mark(key)
            lines = mark.read_text().splitlines() if mark.exists() else []
            whose, *made = lines or [""]
            if whose == by:
                return frozenset(int(number) for number in made)
            replace_file(mark, b"-\n")
            _remove(self.folder(key))
            replace_file(mark, f"{by}\n".encode())
            return frozenset()

        return await blocking(begin)

    async def remade(self, key: str, step: int) -> None:
        """One more line of the mark."""

        def note() -> None:
            with self._mark(key).open("a") as mark:  # steps may end beside each other
                mark.write(f"{step}\n")

        await blocking(note)

    async def rebuilt(self, key: str) -> None:
        """Take the mark away."""
        await blocking(self._mark(key).unlink, missing_ok=True)

    async def prune(self, keep: Sequence[str], *, older_s: float, most_bytes: int = 0) -> None:
        """By the time of the last change of the folder itself, and by what lies in it."""
        names = {_name(key) for key in keep}
        await blocking(self._prune, names, clock.seconds() - older_s, most_bytes)

    def _prune(self, keep: set[str], before: float, most: int) -> None:
        if not self._root.is_dir():
            return
        left: list[tuple[float, Path]] = []
        for entry in self._root.iterdir():
            if entry.name.removesuffix(".rebuilding") in keep:
                continue
            changed = entry.lstat().st_mtime
            if changed <= before:
                _remove(entry)
            else:
                left.append((changed, entry))
        if most:
            self._shrink(sorted(left), most)

    def _shrink(self, left: Sequence[tuple[float, Path]], most: int) -> None:
        """Remove the eldest until the rest fits. A folder is measured once for each change."""
        self._sizes = {
            path.name: known
            if (known := self._sizes.get(path.name)) and known[0] == changed
            else (changed, disk_use(path))
            for changed, path in left
        }
        over = sum(size for _, size in self._sizes.values()) - most
        for _, path in left:
            if over <= 0:
                return
            over -= self._sizes.pop(path.name)[1]
            _remove(path)


def disk_use(path: Path) -> int:
    """Bytes of the disk that a tree takes, following no links. What vanishes meanwhile is 0."""
    total, open_ = 0, [str(path)]
    while open_:
        here = open_.pop()
        try:
            found = os.lstat(here)
            total += found.st_blocks * 512
            if stat.S_ISDIR(found.st_mode):
                open_ += [entry.path for entry in os.scandir(here)]
        except OSError:
            continue
    return total


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def tree(workspace: Path, graph: StageGraph) -> Path:
    """Where the repository lies in the workspace folder."""
    base = PurePosixPath(graph.workspace_base)
    path = PurePosixPath(graph.workspace_path)
    if path.is_relative_to(base):
        return workspace.joinpath(*path.relative_to(base).parts)
    return workspace


def _name(key: str) -> str:
    safe = _SAFE.sub("-", key).strip("-.")[:80]
    return safe if safe == key else f"{safe}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
