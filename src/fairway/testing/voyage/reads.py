"""What `git.reads.Reads` answers, of repositories in memory."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence

from fairway.kit.aio import blocking
from fairway.model.commit import CommitFacts, TreeEntry
from fairway.model.errors import NotFound
from fairway.testing.git import SimulatedGit


class SimulatedReads:
    """As far as releases and applications read."""

    def __init__(self, git: SimulatedGit) -> None:
        self._git = git
        self._known: dict[str, bytes] = {}  # contents by their ids

    async def resolve(self, number: int, name: str) -> str | None:
        """See `Reads`."""
        return await self._git.resolve(number, "refs/heads/main" if name == "HEAD" else name)

    async def log(self, number: int, name: str, *, limit: int = 50) -> list[CommitFacts]:
        """See `Reads`."""
        sha = await self._git.resolve(number, name)
        if sha is None:
            raise NotFound(f"there is no commit {name!r}", code="no-commit")
        found: list[CommitFacts] = []
        while sha and len(found) < limit:
            facts = await self._git.commit(number, sha)
            found.append(facts)
            sha = facts.parents[0] if facts.parents else ""
        return found

    async def entries(self, number: int, sha: str, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """See `Reads`."""
        files = await blocking(self._files, number, sha)
        found = {}
        for path in paths:
            if path in files:
                found[path] = self._entry(path, files[path])
            elif inside := sorted(one for one in files if not path or one.startswith(f"{path}/")):
                whole = _id("\0".join(f"{one}\0{_id(files[one])}" for one in inside))
                name = posixpath.basename(path)
                found[path] = TreeEntry(name=name, path=path, kind="folder", sha=whole)
        return found

    async def below(self, number: int, sha: str, path: str) -> list[TreeEntry]:
        """See `Reads`."""
        files = await blocking(self._files, number, sha)
        head = f"{path}/" if path else ""
        return [self._entry(one, files[one]) for one in sorted(files) if one.startswith(head)]

    async def blobs(self, number: int, ids: Sequence[str]) -> dict[str, bytes]:
        """See `Reads`."""
        del number
        return {one: self._known[one] for one in ids}

    def _files(self, number: int, sha: str) -> dict[str, str]:
        found = self._git.files(number, sha)
        if found is None:
            raise NotFound(f"there is no commit {sha!r}", code="no-commit")
        return found

    def _entry(self, path: str, text: str) -> TreeEntry:
        made = _id(text)
        self._known[made] = text.encode()
        return TreeEntry(
            name=posixpath.basename(path), path=path, kind="file", sha=made, size=len(text)
        )


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
