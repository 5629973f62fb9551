"""Reads of bare repositories by number, with pygit2, away from the loop.

A few repositories stay open, each used by one thread at a time; one that fails to give an object
(git has repacked meanwhile) is opened anew and asked once more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import pygit2

from fairway.git import reading, trees
from fairway.git.folders import Folders
from fairway.kit.aio import blocking
from fairway.model.commit import CommitFacts, Difference, TreeEntry
from fairway.model.errors import NotFound, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_OPEN: Final = 32
CONFIG_BYTES: Final = 1024 * 1024

pygit2.option(pygit2.enums.Option.SET_OWNER_VALIDATION, False)  # noqa: FBT003 pygit2's own way


class _Handle:
    def __init__(self, path: str) -> None:
        self.lock = threading.Lock()
        self.path = path
        self.repo: Any = None


class Reads:
    """All methods raise `NotFound` for what is not there and `Unavailable` for a broken folder."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._handles: OrderedDict[int, _Handle] = OrderedDict()
        self._lock = threading.Lock()

    async def resolve(self, number: int, name: str) -> str | None:
        """The commit that a branch, tag or sha stands for."""
        return await self._run(number, reading.resolve, name)

    async def commit(self, number: int, name: str) -> CommitFacts:
        """A commit's facts."""
        return await self._run(number, reading.commit, name)

    async def log(
        self, number: int, name: str, *, path: str = "", skip: int = 0, limit: int = 50
    ) -> list[CommitFacts]:
        """Commits from `name` backwards, newest first; only those that touch `path`, if given."""
        return await self._run(
            number, reading.log, name, path=path, skip=skip, limit=min(limit, 1000)
        )

    async def tree(self, number: int, name: str, path: str = "") -> list[TreeEntry]:
        """A folder at a commit."""
        return await self._run(number, reading.tree, name, path)

    async def blob(
        self, number: int, name: str, path: str, *, limit: int = reading.FILE_BYTES
    ) -> bytes:
        """A file's bytes at a commit. Raises `TooLarge` as well."""
        return await self._run(number, reading.blob, name, path, limit=limit)

    async def config(self, number: int, sha: str, path: str) -> str | None:
        """A pipeline file's text; None when there is none. Raises `BadFile`."""
        return await self._run(number, reading.config, sha, path, limit=CONFIG_BYTES)

    async def changed(self, number: int, before: str, after: str) -> list[str] | None:
        """Paths that differ between two commits; None when it cannot be said."""
        return await self._run(number, reading.changed, before, after)

    async def merge_base(self, number: int, one: str, other: str) -> str | None:
        """Where two histories part."""
        return await self._run(number, reading.merge_base, one, other)

    async def diff(self, number: int, before: str, after: str) -> Difference:
        """What differs between two commits."""
        return await self._run(number, reading.diff, before, after)

    async def entries(self, number: int, sha: str, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What stands at clean paths of a commit; those where nothing does are left out."""
        return await self._run(number, trees.entries, sha, paths)

    async def below(self, number: int, sha: str, path: str) -> list[TreeEntry]:
        """Every file and link below a folder of a commit. Raises `TooLarge` as well."""
        return await self._run(number, trees.below, sha, path)

    async def blobs(self, number: int, ids: Sequence[str]) -> dict[str, bytes]:
        """Contents of files by their ids. Raises `TooLarge` as well."""
        return await self._run(number, trees.blobs, ids)

    def close(self) -> None:
        """Close every open repository."""
        with self._lock:
            handles = list(self._handles.values())
            self._handles.clear()
        for handle in handles:
            _free(handle)

    def forget(self, number: int) -> None:
        """Close one: it was removed."""
        with self._lock:
            handle = self._handles.pop(number, None)
        if handle is not None:
            _free(handle)

    async def _run(
        self,
        number: int,
        call: Callable[Concatenate[Any, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await blocking(self._read, number, call, *args, **kwargs)

    def _read(
        self,
        number: int,
        call: Callable[Concatenate[Any, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        handle = self._handle(number)
        with handle.lock:
            try:
                return call(_opened(handle), *args, **kwargs)
            except (pygit2.GitError, KeyError, NotFound):
                handle.repo = None
            try:
                return call(_opened(handle), *args, **kwargs)
            except (pygit2.GitError, KeyError) as error:
                handle.repo = None
                raise Unavailable(
                    f"repository {number} cannot be read: {error}",
                    code="repository-unreadable",
                    remedy="run `git fsck` in its folder; restore it from a backup",
                ) from error

    def _handle(self, number: int) -> _Handle:
        dropped = None
        with self._lock:
            handle = self._handles.get(number)
            if handle is None:
                handle = self._handles[number] = _Handle(str(self._folders.path(number)))
            self._handles.move_to_end(number)
            if len(self._handles) > _OPEN:
                _, dropped = self._handles.popitem(last=False)
        if dropped is not None:
            _free(dropped)
        return handle


def _opened(handle: _Handle) -> Any:
    if handle.repo is None:
        handle.repo = pygit2.Repository(handle.path, pygit2.enums.RepositoryOpenFlag.BARE)
    return handle.repo


def _free(handle: _Handle) -> None:
    with handle.lock:
        if handle.repo is not None:
            handle.repo.free()
            handle.repo = None
