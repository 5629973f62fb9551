"""Real folders and the simulated ones hold one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.source.sources import Sources
from fairway.testing.contracts.sources import SourcesContract, Subject
from fairway.testing.git import SimulatedGit
from fairway.testing.gitwriter import write_commit


class Simulated(Subject):
    """In memory."""

    def __init__(self) -> None:
        self.git = self.sources = SimulatedGit()
        self.repository = 7
        self.git.folders.ensure(7, "7", "main")

    async def commit(self, files: Mapping[str, str], message: str, *, branch: str) -> str:
        refs = self.git.folders.all_refs[7]
        sha = self.git.write(7, files, message=message, parent=refs.get(f"refs/heads/{branch}", ""))
        refs[f"refs/heads/{branch}"] = sha
        return sha

    async def tag(self, name: str, sha: str) -> None:
        self.git.folders.all_refs[7][f"refs/tags/{name}"] = sha


class Real(Subject):
    """A bare repository on disk."""

    def __init__(self, root: Path) -> None:
        self.folders = Folders(root)
        self.folders.prepare()
        self.reads = Reads(self.folders)
        self.sources = Sources(self.reads)
        self.repository = 7
        self.path = self.folders.ensure(7, "7", "main")

    async def commit(self, files: Mapping[str, str], message: str, *, branch: str) -> str:
        return write_commit(self.path, files, message=message, branch=branch)

    async def tag(self, name: str, sha: str) -> None:
        (self.path / "refs/tags" / name).write_text(sha + "\n")


@pytest.fixture(params=["real", "simulated"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "simulated":
        yield Simulated()
        return
    real = Real(tmp_path / "git")
    yield real
    real.reads.close()


class TestSources(SourcesContract):
    """The contract, on both."""
