"""Fairway's own commits: made, moved onto a branch, announced as a push is.

A commit whose message carries the trailer `Fairway-Delivery:` starts no pipeline. That counts only
for commits made here: they are written down before a branch names them, so that nobody can slip
past the pipelines by pushing such a trailer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from fairway.git.folders import Folders
from fairway.git.packets import Command
from fairway.git.writing import BRANCH, Author, Made, Method
from fairway.kit.aio import blocking, shielded
from fairway.model.errors import Conflict, NotFound
from fairway.model.repository import Repository
from fairway.model.scope import SYSTEM
from fairway.source.announce import Announcer, Change, stamp
from fairway.store import quiet_commits, repositories
from fairway.store.database import Database

TRAILER: Final = "Fairway-Delivery"
_TRAILER: Final = re.compile(rf"^{TRAILER}: \S", re.MULTILINE)
_TRIES: Final = 5


class Objects(Protocol):
    """Writes of bare repositories: `git.writing.Writes`, and the simulated world's."""

    async def make(
        self,
        number: int,
        parent: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Author,
    ) -> str:
        """A commit on `parent` that no ref names yet."""
        ...

    async def join(
        self, number: int, target: str, source: str, *, method: Method, message: str, author: Author
    ) -> Made:
        """A merge of two commits that no ref names yet."""
        ...

    async def ref(self, number: int, name: str) -> str:
        """What a ref is at; "" for none."""
        ...

    async def move(self, number: int, name: str, sha: str, *, expected: str) -> None:
        """Move a ref by compare-and-swap. Raises `Conflict` (`ref-moved`)."""
        ...

    async def contains(self, number: int, commit: str, ancestor: str) -> bool:
        """Whether a commit has another in its history, or is it."""
        ...

    async def title(self, number: int, commit: str) -> str:
        """The first line of a commit's message."""
        ...


class Writer:
    """Commits into our own repositories. Belongs to the process that owns the folders."""

    def __init__(
        self, database: Database, objects: Objects, folders: Folders, announcer: Announcer
    ) -> None:
        self._database = database
        self.objects = objects
        self._folders = folders
        self._announcer = announcer

    async def commit(
        self,
        number: int,
        branch: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Author,
        actor: str = "fairway",
        expected: str | None = None,
    ) -> str:
        """Commit whole files (None deletes one) onto a branch. Returns the branch's commit.

        `expected` is what the branch must be at ("": not there); None takes it as it is, and takes
        it again when somebody else was faster. Nothing is written where nothing differs: then the
        answer is the commit that was there. With the trailer `Fairway-Delivery:` in `message` it
        starts no pipeline. Safe to repeat. Raises `Conflict` (`ref-moved`, `remote-repository`),
        `NotFound` (`no-repository`), `InvalidInput`, `Unavailable` (try again).
        """
        found = await self.repository(number)
        for left in reversed(range(_TRIES)):
            before = await self.objects.ref(number, BRANCH + branch)
            if expected is not None and before != expected:
                before = expected  # `move` says what came between
            try:
                return await self._commit(
                    found, branch, changes, before=before, message=message, author=author,
                    actor=actor,
                )  # fmt: skip
            except Conflict as error:
                if expected is not None or not left or error.code != "ref-moved":
                    raise
        raise AssertionError("unreachable")

    async def _commit(
        self,
        found: Repository,
        branch: str,
        changes: Mapping[str, bytes | None],
        *,
        before: str,
        message: str,
        author: Author,
        actor: str,
    ) -> str:
        sha = await self.objects.make(found.id, before, changes, message=message, author=author)
        if sha != before:
            if _TRAILER.search(message):
                await self._database.write(quiet_commits.put, found.id, sha)
            await self.move(found.id, BRANCH + branch, sha, expected=before, actor=actor)
        return sha

    async def move(self, number: int, ref: str, sha: str, *, expected: str, actor: str) -> None:
        """Move a branch or tag and announce it as a push. Raises as `Objects.move`."""
        self._announcer.begin(number)
        try:
            await self.objects.move(number, ref, sha, expected=expected)
        except BaseException:
            await shielded(self._announcer.abandon(number))
            raise
        change = Change(Command(ref, expected, sha), actor)
        await shielded(self._announcer.finish(number, [change]))

    async def repository(self, number: int) -> Repository:
        """The repository with its folder made. Raises `NotFound`, `Conflict` for a remote one."""
        found = await self._database.read(repositories.by_id, SYSTEM, number)
        if found is None:
            raise NotFound(f"there is no repository {number}", code="no-repository")
        if found.remote_url:
            raise Conflict(
                f"{found.slug} lives elsewhere: Fairway only reads it",
                code="not-hosted",
                remedy="commit where it lives",
            )
        await blocking(self._folders.ensure, number, stamp(found), found.default_branch)
        return found
