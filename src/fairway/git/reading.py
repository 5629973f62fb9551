"""What can be read from an open repository: functions of a `pygit2.Repository`, with limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pygit2
from pygit2.enums import DeltaStatus, FileMode, ObjectType, SortMode

from fairway.model.commit import CommitFacts, Difference, FileChange, TreeEntry
from fairway.model.errors import BadFile, InvalidInput, NotFound, TooLarge

FILE_BYTES: Final = 16 * 1024 * 1024
_SCANNED: Final = 10_000  # commits looked at for a log of one path
_PATHS: Final = 100_000
_FILES: Final = 300
_PATCH: Final = 64 * 1024
_PATCHES: Final = 2 * 1024 * 1024
_NAME: Final = re.compile(r"(?!/|.*(?://|\.\.|@\{|\\|[\x00-\x20\x7f~^:?*\[]))[^-].{0,500}")
_SHA: Final = re.compile(r"[0-9a-f]{7,40}")
_KINDS: Final = {
    FileMode.BLOB: "file",
    FileMode.BLOB_EXECUTABLE: "file",
    FileMode.TREE: "folder",
    FileMode.LINK: "link",
    FileMode.COMMIT: "submodule",
}
_STATUS: Final = {
    DeltaStatus.ADDED: "added",
    DeltaStatus.COPIED: "added",
    DeltaStatus.DELETED: "deleted",
    DeltaStatus.RENAMED: "renamed",
}
Repo = Any  # pygit2 has no types


def resolve(repo: Repo, name: str) -> str | None:
    """The commit that a branch, a tag, a whole ref or a (7 digits or longer) sha stands for."""
    found = _find(repo, name)
    return None if found is None else str(found.id)


def commit(repo: Repo, name: str) -> CommitFacts:
    """A commit's facts. Raises `NotFound`."""
    return _facts(_need(repo, name))


def log(
    repo: Repo, name: str, *, path: str = "", skip: int = 0, limit: int = 50
) -> list[CommitFacts]:
    """Commits from `name` backwards, newest first; only those that touch `path`, if given."""
    walker = repo.walk(_need(repo, name).id, SortMode.TIME)
    found: list[CommitFacts] = []
    for number, each in enumerate(walker):
        if number >= _SCANNED or len(found) >= limit:
            break
        if path and not _touches(each, path):
            continue
        if skip:
            skip -= 1
            continue
        found.append(_facts(each))
    return found


def tree(repo: Repo, name: str, path: str = "") -> list[TreeEntry]:
    """A folder at a commit, folders first. Raises `NotFound`."""
    found = _entry(_need(repo, name).tree, path)
    if found.type != ObjectType.TREE:
        raise _no_path(path, name)
    prefix = path.strip("/") + "/" if path.strip("/") else ""
    entries = [
        TreeEntry(
            name=each.name,
            path=prefix + each.name,
            kind=_KINDS.get(each.filemode, "file"),
            sha=str(each.id),
            size=each.size if each.type == ObjectType.BLOB else None,
            executable=each.filemode == FileMode.BLOB_EXECUTABLE,
        )
        for each in found
        if each.filemode != FileMode.COMMIT
    ]
    return sorted(entries, key=lambda each: (each.kind != "folder", each.name))


def blob(repo: Repo, name: str, path: str, *, limit: int = FILE_BYTES) -> bytes:
    """A file's bytes at a commit. Raises `NotFound`, `TooLarge`."""
    found = _entry(_need(repo, name).tree, path)
    if found.type != ObjectType.BLOB:
        raise _no_path(path, name)
    if found.size > limit:
        raise TooLarge(
            f"{path} has {found.size} bytes, more than {limit}",
            code="file-too-large",
            remedy="clone the repository to read it",
        )
    data: bytes = found.data
    return data


def config(repo: Repo, sha: str, path: str, *, limit: int) -> str | None:
    """The text of a pipeline file; None when there is none. Raises `BadFile`, `TooLarge`."""
    found = _find(repo, sha)
    if found is None:
        return None
    try:
        entry = _entry(found.tree, path)
    except NotFound:
        return None
    if entry.type != ObjectType.BLOB or entry.filemode == FileMode.LINK:
        raise BadFile(
            "it is a link or a folder, not a file",
            code="config-no-file",
            where=path,
            remedy="commit the pipeline file itself",
        )
    if entry.size > limit:
        raise BadFile(
            f"it has {entry.size} bytes, more than {limit}",
            code="config-too-large",
            where=path,
            remedy="make it smaller, or split the pipelines over repositories",
        )
    try:
        text: str = entry.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(
            f"it is not UTF-8 (byte {error.start})",
            code="config-not-utf-8",
            where=path,
            remedy="save it as UTF-8",
        ) from None
    return text


def changed(repo: Repo, before: str, after: str) -> list[str] | None:
    """Paths that differ between two commits; None when one is missing or they are too many."""
    old, new = _find(repo, before), _find(repo, after)
    if old is None or new is None:
        return None
    found: set[str] = set()
    for delta in old.tree.diff_to_tree(new.tree).deltas:
        found |= {delta.old_file.path, delta.new_file.path}
        if len(found) > _PATHS:
            return None
    return sorted(found)


def merge_base(repo: Repo, one: str, other: str) -> str | None:
    """The commit where two histories part; None when they have none in common."""
    found = repo.merge_base(_need(repo, one).id, _need(repo, other).id)
    return None if found is None else str(found)


def diff(repo: Repo, before: str, after: str) -> Difference:
    """What differs, with patches, within limits. `before` "" compares with nothing."""
    new = _need(repo, after)
    if before:
        found = _need(repo, before).tree.diff_to_tree(new.tree)
    else:
        found = new.tree.diff_to_tree(swap=True)
    found.find_similar()
    left = _PATCHES
    files: list[FileChange] = []
    for patch in _some(found):
        change = _change(patch, left)
        left -= len(change.patch)
        files.append(change)
    return Difference(files=files, cut=len(found) > _FILES)


def _some(found: Any) -> Iterator[Any]:
    for number, patch in enumerate(found):
        if number >= _FILES:
            return
        yield patch


def _change(patch: Any, left: int) -> FileChange:
    delta = patch.delta
    _, added, deleted = patch.line_stats
    text = "" if delta.is_binary else patch.data.decode("utf-8", "replace")
    limit = max(0, min(_PATCH, left))
    former = delta.old_file.path if delta.status == DeltaStatus.RENAMED else ""
    return FileChange(
        path=delta.new_file.path,
        status=_STATUS.get(delta.status, "changed"),
        former=former,
        added=added,
        deleted=deleted,
        binary=delta.is_binary,
        patch=text[:limit],
        cut=len(text) > limit,
    )


def _find(repo: Repo, name: str) -> Any | None:
    if _SHA.fullmatch(name) and (found := _peeled(repo, name)) is not None:
        return found
    if not _NAME.fullmatch(name):
        return None
    places = (name,) if name.startswith("refs/") or name == "HEAD" else (
        f"refs/heads/{name}", f"refs/tags/{name}")  # fmt: skip
    for place in places:
        try:
            return repo.lookup_reference(place).peel(ObjectType.COMMIT)
        except (KeyError, ValueError, pygit2.GitError):
            continue
    return None


def _peeled(repo: Repo, sha: str) -> Any | None:
    try:
        return repo[sha].peel(ObjectType.COMMIT)
    except (KeyError, ValueError, pygit2.GitError):
        return None


def _need(repo: Repo, name: str) -> Any:
    found = _find(repo, name)
    if found is None:
        raise NotFound(
            f"there is no commit, branch or tag {name[:200]!r}",
            code="no-commit",
            remedy="name a branch, a tag, or at least seven digits of a commit",
        )
    return found


def _entry(top: Any, path: str) -> Any:
    clean = path.strip("/")
    if not clean:
        return top
    if any(part in {"", ".", ".."} for part in clean.split("/")):
        raise InvalidInput(
            f"{path[:200]!r} is no path in a repository",
            code="bad-path",
            remedy="give a path from the repository's top, without `..`",
        )
    try:
        return top[clean]
    except KeyError:
        raise _no_path(path, str(top.id)) from None


def _no_path(path: str, name: str) -> NotFound:
    return NotFound(
        f"there is no {path[:200]!r} at {name[:200]}",
        code="no-path",
        remedy="look at the folder above it",
    )


def _touches(each: Any, path: str) -> bool:
    clean = path.strip("/")
    mine = _id_at(each.tree, clean)
    theirs = [_id_at(parent.tree, clean) for parent in each.parents]
    return all(mine != other for other in theirs) if theirs else mine is not None


def _id_at(top: Any, path: str) -> Any:
    try:
        return top[path].id
    except KeyError:
        return None


def _facts(found: Any) -> CommitFacts:
    author, committer = found.author, found.committer
    return CommitFacts(
        sha=str(found.id),
        message=found.message.rstrip("\n"),
        author_name=_text(author.raw_name),
        author_email=_text(author.raw_email),
        authored=author.time * 1000,
        committer_name=_text(committer.raw_name),
        committer_email=_text(committer.raw_email),
        committed=committer.time * 1000,
        parents=[str(each) for each in found.parent_ids],
        tree=str(found.tree_id),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
