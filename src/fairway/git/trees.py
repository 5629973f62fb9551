"""Many files of one commit at once: functions of a `pygit2.Repository`, with limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pygit2
from pygit2.enums import FileMode, ObjectType

from fairway.model.commit import TreeEntry
from fairway.model.errors import NotFound, TooLarge

_FILES: Final = 20_000
_BYTES: Final = 128 * 1024 * 1024
_KINDS: Final = {FileMode.TREE: "folder", FileMode.LINK: "link", FileMode.COMMIT: "submodule"}
Repo = Any  # pygit2 has no types


def entries(repo: Repo, sha: str, paths: Sequence[str]) -> dict[str, TreeEntry]:
    """What stands at paths of a commit; those where nothing does are left out.

    A path is clean: without leading `/`, `.` and `..`; "" is the top. Raises `NotFound`.
    """
    top = _top(repo, sha)
    found: dict[str, TreeEntry] = {}
    for path in paths:
        if not path:
            found[path] = TreeEntry(name="", path="", kind="folder", sha=str(top.id), size=None)
            continue
        try:
            found[path] = _entry(top[path], path)
        except KeyError:
            continue
    return found


def below(repo: Repo, sha: str, path: str) -> list[TreeEntry]:
    """Every file and link below a folder, by path. Raises `NotFound`, `TooLarge`."""
    top = _top(repo, sha)
    try:
        start = top[path] if path else top
    except KeyError:
        raise NotFound(f"there is no {path!r} at {sha}", code="no-path") from None
    found: list[TreeEntry] = []
    _collect(start, path, found)
    return sorted(found, key=lambda one: one.path)


def _collect(folder: Any, path: str, found: list[TreeEntry]) -> None:
    for each in folder:
        place = f"{path}/{each.name}" if path else each.name
        if each.filemode == FileMode.TREE:
            _collect(each, place, found)
        else:
            found.append(_entry(each, place))
        if len(found) > _FILES:
            raise TooLarge(
                f"there are more than {_FILES} files below {path!r}", code="too-many-files"
            )


def blobs(repo: Repo, ids: Sequence[str]) -> dict[str, bytes]:
    """Contents of files by their ids. Raises `NotFound`, `TooLarge`."""
    found: dict[str, bytes] = {}
    total = 0
    for one in dict.fromkeys(ids):
        blob = repo.get(one)
        if blob is None or blob.type != ObjectType.BLOB:
            raise NotFound(f"there is no file {one}", code="no-path")
        total += blob.size
        if total > _BYTES:
            raise TooLarge(f"the files have more than {_BYTES} bytes", code="file-too-large")
        found[one] = blob.data
    return found


def _top(repo: Repo, sha: str) -> Any:
    try:
        return repo[sha].peel(ObjectType.TREE)
    except (KeyError, ValueError, pygit2.GitError):
        raise NotFound(f"there is no commit {sha[:200]!r}", code="no-commit") from None


def _entry(each: Any, path: str) -> TreeEntry:
    return TreeEntry(
        name=each.name,
        path=path,
        kind=_KINDS.get(each.filemode, "file"),
        sha=str(each.id),
        size=each.size if each.type == ObjectType.BLOB else None,
        executable=each.filemode == FileMode.BLOB_EXECUTABLE,
    )
