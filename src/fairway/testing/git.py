"""Git for the simulated world: repositories in memory that outlive a crash of the application.

The application's own announcer works on `folders`; `push` changes a ref and announces it as hosting
does, with points in between at which the world may crash.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from fairway.git.folders import Folders
from fairway.git.packets import Command
from fairway.kit import clock
from fairway.model.commit import CommitFacts
from fairway.model.errors import NotFound
from fairway.source.announce import Announcer, Change


class _Commit(Struct, frozen=True):
    facts: CommitFacts
    files: dict[str, str]


class SimulatedFolders(Folders):
    """The disk: what is here survives every crash."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.stamps: dict[int, str] = {}
        self.heads: dict[int, str] = {}
        self.all_refs: dict[int, dict[str, str]] = {}

    def prepare(self) -> None:
        """Nothing to do in memory."""

    def ensure(self, number: int, stamp: str, head: str) -> Path:
        """As on disk: another stamp is another repository."""
        if self.stamps.get(number) != stamp:
            self.stamps[number] = stamp
            self.heads[number] = head
            self.all_refs[number] = {}
        return self.path(number)

    def remove(self, number: int) -> None:
        """Forget a repository."""
        for table in (self.stamps, self.heads, self.all_refs):
            table.pop(number, None)

    def empty_trash(self) -> None:
        """There is none in memory."""

    def numbers(self) -> list[int]:
        """All repositories."""
        return sorted(self.stamps)

    def head(self, number: int, branch: str) -> None:
        """Set the default branch."""
        self.heads[number] = branch

    def refs(self, number: int) -> dict[str, str]:
        """Branches and tags."""
        return dict(self.all_refs.get(number, {}))

    def clean_locks(self, number: int) -> list[Path]:
        """There are none in memory."""
        del number
        return []


class SimulatedGit:
    """Content and refs, and the answers of `Sources`."""

    def __init__(self) -> None:
        self.folders = SimulatedFolders()
        self._commits: dict[int, dict[str, _Commit]] = {}

    def write(
        self, number: int, files: Mapping[str, str], *, message: str = "change", parent: str = ""
    ) -> str:
        """A new commit with these files on top of its parent's. Returns its sha. No ref moves."""
        base = self._commits.setdefault(number, {})[parent].files if parent else {}
        parents = [parent] if parent else []
        return self.record(number, {**base, **files}, message=message, parents=parents)

    def record(
        self, number: int, merged: Mapping[str, str], *, message: str, parents: Sequence[str]
    ) -> str:
        """A commit with exactly these files. Returns its sha. No ref moves."""
        known = self._commits.setdefault(number, {})
        parent = " ".join(parents)
        seed = f"{number} {parent} {len(known)} {message} {sorted(merged.items())}"
        sha = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        facts = CommitFacts(
            sha=sha,
            message=message,
            author_name="Ada",
            author_email="ada@example.org",
            authored=clock.now() // 1000 * 1000,
            committer_name="Ada",
            committer_email="ada@example.org",
            committed=clock.now() // 1000 * 1000,
            parents=list(parents),
            tree=hashlib.sha1(repr(merged).encode(), usedforsecurity=False).hexdigest(),
        )
        known[sha] = _Commit(facts, dict(merged))
        return sha

    def files(self, number: int, sha: str) -> dict[str, str] | None:
        """A commit's files by path; None for one that is not there."""
        found = self._commits.get(number, {}).get(sha)
        return None if found is None else dict(found.files)

    def message(self, number: int, sha: str) -> str:
        """A commit's message."""
        return self._commits[number][sha].facts.message

    def parents(self, number: int, sha: str) -> list[str]:
        """What a commit stands on."""
        found = self._commits.get(number, {}).get(sha)
        return [] if found is None else found.facts.parents

    async def push(
        self,
        announcer: Announcer,
        repository_id: int,
        moves: Mapping[str, str],
        *,
        actor: str = "ada",
        options: Sequence[str] = (),
    ) -> None:
        """Move refs (to "" deletes) and announce it: what a client's push does.

        A crash at any await leaves the ref moved or not; who returns has been promised its events.
        """
        announcer.begin(repository_id)
        await asyncio.sleep(0)
        refs = self.folders.all_refs.setdefault(repository_id, {})
        changes = []
        for name, sha in moves.items():
            command = Command(name, refs.get(name, ""), sha)
            changes.append(Change(command, actor, list(options)))
            if sha:
                refs[name] = sha
            else:
                refs.pop(name, None)
        await asyncio.sleep(0)
        await announcer.finish(repository_id, changes)

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """As `Sources.config`."""
        await asyncio.sleep(0)
        found = self._find(repository_id, sha)
        return None if found is None else found.files.get(path)

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """As `Sources.commit`."""
        await asyncio.sleep(0)
        found = self._find(repository_id, rev)
        if found is None:
            raise NotFound(f"there is no commit, branch or tag {rev!r}", code="no-commit")
        return found.facts

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """As `Sources.changed`."""
        await asyncio.sleep(0)
        old, new = self._find(repository_id, before), self._find(repository_id, after)
        if old is None or new is None:
            return None
        names = old.files.keys() | new.files.keys()
        return sorted(name for name in names if old.files.get(name) != new.files.get(name))

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """As `Sources.resolve`."""
        await asyncio.sleep(0)
        found = self._find(repository_id, ref)
        return None if found is None else found.facts.sha

    def _find(self, number: int, name: str) -> _Commit | None:
        known = self._commits.get(number, {})
        refs = self.folders.refs(number)
        for place in (name, f"refs/heads/{name}", f"refs/tags/{name}"):
            if place in refs:
                return known.get(refs[place])
        if len(name) < 7:
            return None
        found = [each for sha, each in known.items() if sha.startswith(name)]
        return found[0] if len(found) == 1 else None
