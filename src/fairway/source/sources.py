"""What other chapters may ask about a repository's content: the answers of real Git folders.

`testing/git.py` has the simulated twin; `testing/contracts/sources.py` holds both to one contract.
"""

from __future__ import annotations

from fairway.git.reads import Reads
from fairway.model.commit import CommitFacts


class Sources:
    """In-process answers. Raises `Unavailable` where a folder cannot be read."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """The text of a file at a commit; None when there is none. Raises `BadFile`."""
        return await self._reads.config(repository_id, sha, path)

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """A commit's facts. Raises `NotFound`."""
        return await self._reads.commit(repository_id, rev)

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """Paths that differ between two commits; None when it cannot be said."""
        return await self._reads.changed(repository_id, before, after)

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """The commit that a branch, tag or commit name stands for."""
        return await self._reads.resolve(repository_id, ref)
