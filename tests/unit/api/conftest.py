"""The API over a real SQLite store."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairway.api.app import api_app
from fairway.store.database import sqlite_url
from fairway.testing.apiworld import URL, ApiWorld, Current
from fairway.testing.databases import QuickDatabase


@pytest.fixture
def api_world(sqlite_template: Path, tmp_path: Path) -> Iterator[ApiWorld]:
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = QuickDatabase(sqlite_url(path))
    yield ApiWorld(database, tmp_path)
    database.close()


@pytest.fixture(scope="session")
def shared() -> tuple[Current, Any]:
    """One application for all tests: making it takes longer than most of them."""
    current = Current()
    return current, api_app(current)  # type: ignore[arg-type]  # it stands for Services


@pytest.fixture
def app(shared: tuple[Current, Any], api_world: ApiWorld) -> Any:
    """The application over this test's world."""
    current, made = shared
    current.world = api_world
    return made


@pytest.fixture
async def client(app: Any, api_world: ApiWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {api_world.token('ada')}"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as made:
        yield made
