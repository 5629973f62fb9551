"""What every implementation of `Sources` must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import pytest

from fairway.model.commit import CommitFacts
from fairway.model.errors import NotFound


class SourcesLike(Protocol):
    """The contract, as the pipeline chapter asks for it."""

    async def config(self, repository_id: int, sha: str, path: str) -> str | None:
        """The text of a file."""
        ...

    async def commit(self, repository_id: int, rev: str) -> CommitFacts:
        """A commit's facts."""
        ...

    async def changed(self, repository_id: int, before: str, after: str) -> list[str] | None:
        """Paths that differ."""
        ...

    async def resolve(self, repository_id: int, ref: str) -> str | None:
        """The commit that a name stands for."""
        ...


class Subject(ABC):
    """An implementation, and how to fill it."""

    sources: SourcesLike
    repository: int

    @abstractmethod
    async def commit(self, files: Mapping[str, str], message: str, *, branch: str) -> str:
        """Commit on a branch, on top of what is there. Returns the sha."""

    @abstractmethod
    async def tag(self, name: str, sha: str) -> None:
        """Set a tag."""


class SourcesContract:
    """Subclass it in a test module and give it a fixture `subject`."""

    async def test_a_file_is_read_at_its_commit(self, subject: Subject) -> None:
        """Old commits keep their files."""
        first = await subject.commit({".drone.yml": "one", "a/b": "x"}, "first", branch="main")
        second = await subject.commit({".drone.yml": "zwei ü"}, "second", branch="main")
        read = subject.sources.config
        assert await read(subject.repository, first, ".drone.yml") == "one"
        assert await read(subject.repository, second, ".drone.yml") == "zwei ü"
        assert await read(subject.repository, second, "a/b") == "x"

    async def test_what_is_not_there_is_none(self, subject: Subject) -> None:
        """Neither an unknown file nor an unknown commit is an error."""
        sha = await subject.commit({"a": "x"}, "first", branch="main")
        assert await subject.sources.config(subject.repository, sha, ".drone.yml") is None
        assert await subject.sources.config(subject.repository, "f" * 40, "a") is None
        assert await subject.sources.resolve(subject.repository, "nowhere") is None
        assert await subject.sources.resolve(subject.repository, "") is None

    async def test_names_stand_for_commits(self, subject: Subject) -> None:
        """Branches, tags, whole refs and shas, also shortened."""
        sha = await subject.commit({"a": "x"}, "first", branch="main")
        other = await subject.commit({"a": "y"}, "second", branch="feature/one")
        await subject.tag("v1.0", sha)
        for name in ("main", "refs/heads/main", "v1.0", "refs/tags/v1.0", sha, sha[:10]):
            assert await subject.sources.resolve(subject.repository, name) == sha, name
        assert await subject.sources.resolve(subject.repository, "feature/one") == other

    async def test_a_commits_facts(self, subject: Subject) -> None:
        """Author, message and parents."""
        first = await subject.commit({"a": "x"}, "first", branch="main")
        second = await subject.commit({"a": "y"}, "Second\n\nbody", branch="main")
        facts = await subject.sources.commit(subject.repository, "main")
        assert (facts.sha, facts.parents, facts.title) == (second, [first], "Second")
        assert facts.message == "Second\n\nbody"
        assert (facts.author_name, facts.author_email) == ("Ada", "ada@example.org")
        assert facts.authored % 1000 == 0
        with pytest.raises(NotFound) as caught:
            await subject.sources.commit(subject.repository, "nowhere")
        assert caught.value.code == "no-commit"

    async def test_paths_that_differ(self, subject: Subject) -> None:
        """Added and changed ones, in order; None where it cannot be said."""
        first = await subject.commit({"a": "x", "b/c": "x", "d": "x"}, "first", branch="main")
        second = await subject.commit({"b/c": "y", "e/f/g": "new"}, "second", branch="main")
        changed = subject.sources.changed
        assert await changed(subject.repository, first, second) == ["b/c", "e/f/g"]
        assert await changed(subject.repository, first, first) == []
        assert await changed(subject.repository, "", second) is None
        assert await changed(subject.repository, "f" * 40, second) is None
