"""The real toolbox, and a repository of files on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from toolboxcharts import program

from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.gitops.rendering import Rendering
from fairway.gitops.sources.git import OwnGit
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox

NUMBER = 7
URL = "https://fairway.example.org/shop/config.git"


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = program()
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "git")
    made.prepare()
    made.ensure(NUMBER, "test", "main")
    return made


@pytest.fixture
def reads(folders: Folders) -> Iterator[Reads]:
    made = Reads(folders)
    yield made
    made.close()


@pytest.fixture
def own(reads: Reads, folders: Folders) -> OwnGit:
    async def find(url: str) -> int | None:
        return NUMBER if url == URL else None

    return OwnGit(reads, folders, find)


@pytest.fixture
def rendering(toolbox: Toolbox, own: OwnGit) -> Rendering:
    return Rendering(toolbox, own)
