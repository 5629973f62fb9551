"""Our hosting, and real git."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.store.database import Database, sqlite_url
from fairway.testing.githost import Git, GitHost
from fairway.testing.gitserver import GitServer


@pytest.fixture
async def host(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[GitHost]:
    """Our hosting on a port, empty."""
    shutil.copyfile(sqlite_template, tmp_path / "fairway.db")
    database = Database(sqlite_url(tmp_path / "fairway.db"))
    async with GitHost(database, tmp_path / "git").serve() as host:
        yield host
    database.close()


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Real git, in a folder `work`."""
    return Git(tmp_path / "work")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    made = GitServer(tmp_path / "server")
    made.root.mkdir()
    await made.start()
    yield made
    await made.kill()
