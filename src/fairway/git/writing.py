"""Writing into bare repositories with pygit2: objects first, then one ref by compare-and-swap.

There is no working copy. Objects that no ref came to name are git's to collect. A ref moves under
the lock that git itself takes for a push (`REF.lock`), and only from where its caller saw it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import pygit2
from msgspec import Struct, field
from pygit2.enums import FileMode, ObjectType

from fairway.git.folders import Folders
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.model.errors import Conflict, InvalidInput, NotFound, Unavailable

BRANCH: Final = "refs/heads/"
_TRIES: Final = 20
_BUSY_S: Final = 0.05
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF: Final = re.compile(
    r"refs/(?!.*(?://|\.\.|@\{|\\|[\x00-\x20\x7f~^:?*\[]|/\.|\.lock(?:/|$)|\.$|/$)).{1,500}"
)
Repo = Any  # pygit2 has no types

pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, True)  # noqa: FBT003 pygit2's own way


class Author(Struct, frozen=True, kw_only=True):
    """Who a commit says wrote it."""

    name: str
    email: str


class Method(StrEnum):
    """How a change request's commits come into its target."""

    MERGE = "merge"  # a commit with two parents
    SQUASH = "squash"  # one commit with the whole change


class Made(Struct, frozen=True, kw_only=True):
    """A merge: the commit, or "" and the paths that both sides changed differently."""

    sha: str = ""
    conflicts: list[str] = field(default_factory=list)


class Writes:
    """Writes of bare repositories by number. `Unavailable` (`repository-unwritable`) may be tried
    again; every other error will come again.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    async def make(
        self,
        number: int,
        parent: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Author,
    ) -> str:
        """Make a commit on `parent` ("": the first of a history) that no ref names yet.

        `changes` holds whole files by path; None deletes one. Returns `parent` itself when
        nothing differs. Raises `InvalidInput` (`bad-path`), `NotFound` (`no-commit`).
        """
        return await blocking(
            self._with, number, _make, parent, changes, message=message, author=author
        )

    async def join(
        self, number: int, target: str, source: str, *, method: Method, message: str, author: Author
    ) -> Made:
        """Make the commit that brings commit `source` into commit `target`; no ref names it yet.

        Raises `NotFound` (`no-commit`).
        """
        return await blocking(
            self._with, number, _join, target, source, method=method, message=message,
            author=author,
        )  # fmt: skip

    async def ref(self, number: int, name: str) -> str:
        """What a ref is at; "" when it is not there."""
        return await blocking(self._with, number, _at, name)

    async def contains(self, number: int, commit: str, ancestor: str) -> bool:
        """Whether a commit has another in its history, or is it. False for unknown ones."""
        return commit == ancestor or await blocking(self._with, number, _contains, commit, ancestor)

    async def title(self, number: int, commit: str) -> str:
        """The first line of a commit's message. Raises `NotFound` (`no-commit`)."""
        return await blocking(self._with, number, _title, commit)

    async def move(self, number: int, name: str, sha: str, *, expected: str) -> None:
        """Move the whole ref `name` from `expected` ("": it is not there) to `sha` ("": delete).

        Raises `Conflict` (`ref-moved`) when it is elsewhere, `Unavailable` (`ref-locked`) while
        another writes it, after a second of trying.
        """
        if not _REF.fullmatch(name):
            raise InvalidInput(f"{name[:100]!r} cannot be a ref's name", code="bad-ref")
        for left in reversed(range(_TRIES)):
            if await blocking(self._with, number, _move, name, sha, expected=expected):
                return
            if left:
                await asyncio.sleep(_BUSY_S)
        raise Unavailable(
            f"{name} is being written by another process",
            code="ref-locked",
            remedy="try again; a lock that a killed git left is removed after a minute",
        )

    def _with(self, number: int, call: Any, *args: Any, **kwargs: Any) -> Any:
        path = self._folders.path(number)
        try:
            repo: Repo = pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.BARE)
        except pygit2.GitError as error:
            raise _unwritable(number, error) from error
        try:
            return call(repo, *args, **kwargs)
        except (pygit2.GitError, OSError) as error:
            raise _unwritable(number, error) from error
        finally:
            repo.free()


def _unwritable(number: int, error: Exception) -> Unavailable:
    return Unavailable(
        f"repository {number} cannot be written: {error}",
        code="repository-unwritable",
        remedy="look at the disk's free space; run `git fsck` in its folder",
    )


def _make(
    repo: Repo,
    parent: str,
    changes: Mapping[str, bytes | None],
    *,
    message: str,
    author: Author,
) -> str:
    base = _commit(repo, parent) if parent else None
    parts = {_parts(path): data for path, data in changes.items()}
    top = _tree(repo, base.tree if base else None, parts)
    if top is None:
        top = repo.TreeBuilder().write()
    if base is not None and top == base.tree.id:
        return parent
    parents = [base.id] if base else []
    return _write(repo, top, parents, message=message, author=author)


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/"))
    bad = any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    if bad or "\x00" in path:
        raise InvalidInput(
            f"{path[:200]!r} is no path in a repository",
            code="bad-path",
            remedy="give a file's path from the repository's top, without `..`",
        )
    return parts


def _tree(repo: Repo, base: Any, changes: Mapping[tuple[str, ...], bytes | None]) -> Any:
    """The folder with these changes; None when nothing is left in it."""
    builder = repo.TreeBuilder(base) if base is not None else repo.TreeBuilder()
    below: dict[str, dict[tuple[str, ...], bytes | None]] = {}
    for (name, *rest), data in changes.items():
        below.setdefault(name, {})[tuple(rest)] = data
    for name, inner in below.items():
        old = base[name] if base is not None and name in base else None
        if () in inner:
            _leaf(repo, builder, old, name=name, data=inner[()], alone=len(inner) == 1)
            continue
        folder = old if old is not None and old.type == ObjectType.TREE else None
        made = _tree(repo, folder, inner)
        if made is not None:
            builder.insert(name, made, FileMode.TREE)
        elif folder is not None:
            builder.remove(name)
    return builder.write() if len(builder) else None


def _leaf(
    repo: Repo, builder: Any, old: Any, *, name: str, data: bytes | None, alone: bool
) -> None:
    if not alone:
        raise InvalidInput(f"{name!r} is changed both as a file and as a folder", code="bad-path")
    if data is not None:
        runs = old is not None and old.filemode == FileMode.BLOB_EXECUTABLE
        mode = FileMode.BLOB_EXECUTABLE if runs else FileMode.BLOB
        builder.insert(name, repo.create_blob(data), mode)
    elif old is not None:
        builder.remove(name)


def _join(
    repo: Repo, target: str, source: str, *, method: Method, message: str, author: Author
) -> Made:
    ours, theirs = _commit(repo, target), _commit(repo, source)
    index = repo.merge_commits(ours, theirs)
    if index.conflicts is not None:
        paths = {each.path for sides in index.conflicts for each in sides if each is not None}
        return Made(conflicts=sorted(paths))
    parents = [ours.id, theirs.id] if method is Method.MERGE else [ours.id]
    return Made(sha=_write(repo, index.write_tree(repo), parents, message=message, author=author))


def _write(repo: Repo, tree: Any, parents: list[Any], *, message: str, author: Author) -> str:
    when = clock.now() // 1000
    wrote = pygit2.Signature(_clean(author.name), _clean(author.email), when, 0)
    fairway = pygit2.Signature("Fairway", "fairway@localhost", when, 0)
    text = message if message.endswith("\n") else message + "\n"
    return str(repo.create_commit(None, wrote, fairway, text, tree, parents))


def _clean(text: str) -> str:
    """What git lets into a name or an address."""
    return re.sub(r"[<>\x00-\x1f]", "", text).strip(" .,:;\"'") or "unknown"


def _commit(repo: Repo, sha: str) -> Any:
    if _SHA.fullmatch(sha):
        found = repo.get(sha)
        if found is not None and found.type == ObjectType.COMMIT:
            return found
    raise NotFound(f"there is no commit {sha[:64]!r}", code="no-commit")


def _contains(repo: Repo, commit: str, ancestor: str) -> bool:
    if commit not in repo or ancestor not in repo:
        return False
    return bool(repo.descendant_of(commit, ancestor))


def _title(repo: Repo, commit: str) -> str:
    text: str = _commit(repo, commit).message
    return text.strip().split("\n", 1)[0].strip()


def _at(repo: Repo, name: str) -> str:
    try:
        return str(repo.lookup_reference(name).target)
    except (KeyError, ValueError):
        return ""


def _move(repo: Repo, name: str, sha: str, *, expected: str) -> bool:
    """Whether it was moved; False: another holds its lock. Raises `Conflict`."""
    try:
        _set(repo, name, sha, expected=expected)
    except (pygit2.GitError, ValueError, KeyError, OSError):
        found = _at(repo, name)
        if found != expected:
            raise _moved(name, expected, found) from None
        return False
    return True


def _set(repo: Repo, name: str, sha: str, *, expected: str) -> None:
    found = _at(repo, name)
    if found != expected:
        raise _moved(name, expected, found)
    if not expected:
        if sha:
            repo.references.create(name, sha)
        return
    ref = repo.lookup_reference(name)  # libgit2 moves or deletes it only from what was read here
    if str(ref.target) != expected:
        raise _moved(name, expected, str(ref.target))
    if sha:
        ref.set_target(sha)
    else:
        ref.delete()


def _moved(name: str, expected: str, found: str) -> Conflict:
    short = name.removeprefix(BRANCH)
    was = f"at {expected[:12]}" if expected else "not there"
    now = f"at {found[:12]}" if found else "gone"
    return Conflict(
        f"{short} has moved: it was {was} and is {now}",
        code="ref-moved",
        remedy="look at what came meanwhile and do it again",
    )
