"""Plain stand-ins for what the pipeline chapter asks of others: files and commits in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from fairway.model.commit import CommitFacts
from fairway.model.errors import NotFound
from fairway.model.repository import Repository


@dataclass
class MemorySources:
    """Commits and their pipeline files, by sha. Passes for `draft.Sources`."""

    commits: dict[str, CommitFacts] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    refs: dict[tuple[int, str], str] = field(default_factory=dict)

    def push(
        self, repository_id: int, ref: str, file: str | None, *, message: str = "Change it"
    ) -> str:
        """Make a commit with this pipeline file and move a ref there. Returns its sha."""
        seed = f"{repository_id} {ref} {len(self.commits)} {message}"
        sha = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = CommitFacts(
            sha=sha,
            message=message,
            author_name="Ada",
            author_email="ada@example.org",
            authored=0,
            committer_name="Ada",
            committer_email="ada@example.org",
            committed=0,
        )
        if file is not None:
            self.files[sha] = file
        self.refs[repository_id, ref] = sha
        return sha

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """The file of a commit, whatever its path."""
        del repository_id, path
        return self.files.get(sha)

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """A commit by sha."""
        del repository_id
        if rev not in self.commits:
            raise NotFound(f"there is no commit {rev}", code="commit-not-found")
        return self.commits[rev]

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """Nobody knows: None."""
        del repository_id, before, after
        unknown: list[str] | None = None
        return unknown

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """Where a full ref is."""
        return self.refs.get((repository_id, ref))


@dataclass
class MemorySignatures:
    """Says of each text what it was told."""

    good: set[str] = field(default_factory=set)

    async def signed(self, repository_id: int, text: str) -> bool:
        """Whether the text is among the good ones."""
        del repository_id
        return text in self.good


class NoTemplates:
    """There are no template files."""

    async def templates(self, repository: Repository, text: str) -> dict[str, str]:
        """None at all."""
        del repository, text
        return {}
