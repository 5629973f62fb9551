"""Writes of the simulated world's repositories: the twin of `git.writing.Writes`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fairway.git.writing import BRANCH, Author, Made, Method
from fairway.model.errors import Conflict, NotFound
from fairway.testing.git import SimulatedGit


class SimulatedWrites:
    """Commits and refs in memory; between any two of them the world may crash."""

    def __init__(self, git: SimulatedGit) -> None:
        self._git = git
        self._other: dict[tuple[int, str], str] = {}  # refs that are neither branch nor tag

    async def make(
        self,
        number: int,
        parent: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        author: Author,
    ) -> str:
        """As `Writes.make`."""
        del author
        await asyncio.sleep(0)
        before = self._files(number, parent) if parent else {}
        after = dict(before)
        for path, data in changes.items():
            if data is None:
                after.pop(path, None)
            else:
                after[path] = data.decode()
        if parent and after == before:
            return parent
        return self._git.record(number, after, message=message, parents=[parent] if parent else [])

    async def join(
        self, number: int, target: str, source: str, *, method: Method, message: str, author: Author
    ) -> Made:
        """As `Writes.join`: a three-way merge of whole files."""
        del author
        await asyncio.sleep(0)
        ours, theirs = self._files(number, target), self._files(number, source)
        base = self._files(number, self._base(number, target, source))
        merged, conflicts = dict(ours), []
        for path in base.keys() | ours.keys() | theirs.keys():
            old, mine, other = base.get(path), ours.get(path), theirs.get(path)
            if other in (mine, old):
                continue
            if mine != old:
                conflicts.append(path)
            elif other is None:
                merged.pop(path, None)
            else:
                merged[path] = other
        if conflicts:
            return Made(conflicts=sorted(conflicts))
        parents = [target, source] if method is Method.MERGE else [target]
        return Made(sha=self._git.record(number, merged, message=message, parents=parents))

    async def ref(self, number: int, name: str) -> str:
        """As `Writes.ref`."""
        await asyncio.sleep(0)
        return self._refs(number, name)

    async def move(self, number: int, name: str, sha: str, *, expected: str) -> None:
        """As `Writes.move`."""
        await asyncio.sleep(0)
        found = self._refs(number, name)
        if found != expected:
            raise Conflict(f"{name} has moved: it is at {found}", code="ref-moved")
        if not name.startswith(("refs/heads/", "refs/tags/")):
            self._other[number, name] = sha
            return
        refs = self._git.folders.all_refs.setdefault(number, {})
        if sha:
            refs[name] = sha
        else:
            refs.pop(name, None)

    async def contains(self, number: int, commit: str, ancestor: str) -> bool:
        """As `Writes.contains`."""
        await asyncio.sleep(0)
        return ancestor in self._history(number, commit)

    async def title(self, number: int, commit: str) -> str:
        """As `Writes.title`."""
        return (await self._git.commit(number, commit)).title

    def _refs(self, number: int, name: str) -> str:
        if name.startswith((BRANCH, "refs/tags/")):
            return self._git.folders.refs(number).get(name, "")
        return self._other.get((number, name), "")

    def _files(self, number: int, sha: str) -> dict[str, str]:
        found = self._git.files(number, sha) if sha else {}
        if found is None:
            raise NotFound(f"there is no commit {sha!r}", code="no-commit")
        return found

    def _history(self, number: int, sha: str) -> list[str]:
        """The commit and what it stands on, nearest first."""
        found: dict[str, None] = {}
        todo = [sha] if sha else []
        while todo:
            one = todo.pop(0)
            if one not in found:
                found[one] = None
                todo += self._git.parents(number, one)
        return list(found)

    def _base(self, number: int, one: str, other: str) -> str:
        known = set(self._history(number, one))
        return next((sha for sha in self._history(number, other) if sha in known), "")
