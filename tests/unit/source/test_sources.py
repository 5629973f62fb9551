"""Real folders and the simulated ones hold one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.source.sources import Sources, template_names
from fairway.store.database import Database
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

    def __init__(self, database: Database, root: Path) -> None:
        self.folders = Folders(root)
        self.folders.prepare()
        self.reads = Reads(self.folders)
        self.sources = Sources(database, self.reads)
        self.repository = 7
        self.path = self.folders.ensure(7, "7", "main")

    async def commit(self, files: Mapping[str, str], message: str, *, branch: str) -> str:
        return write_commit(self.path, files, message=message, branch=branch)

    async def tag(self, name: str, sha: str) -> None:
        (self.path / "refs/tags" / name).write_text(sha + "\n")


@pytest.fixture(params=["real", "simulated"])
async def subject(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path
) -> AsyncIterator[Subject]:
    if request.param == "simulated":
        yield Simulated()
        return
    real = Real(database, tmp_path / "git")
    yield real
    real.reads.close()


class TestSources(SourcesContract):
    """The contract, on both."""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kind: template\nload: one.star\n", ["one.star"]),
        ("load: 'a/b.yaml' # x\n---\nload: \"c.jsonnet\"\n", ["a/b.yaml", "c.jsonnet"]),
        ("load: ../secret\n", []),
        ("  load: nested\nupload: x\nload:\n", []),
        ("load: x\nload: x\n", ["x"]),
    ],
)
def test_the_names_of_templates(text: str, names: list[str]) -> None:
    assert template_names(text) == names
