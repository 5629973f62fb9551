"""The API over a real SQLite store."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from fairway.api.app import api_app
from fairway.store.database import Database, sqlite_url
from fairway.testing.apiworld import URL, ApiWorld


@pytest.fixture
def api_world(sqlite_template: Path, tmp_path: Path) -> Iterator[ApiWorld]:
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(sqlite_url(path), durable=False)
    yield ApiWorld(database, tmp_path)
    database.close()


@pytest.fixture
async def client(api_world: ApiWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=api_app(api_world.services))
    headers = {"Authorization": f"Bearer {api_world.token('ada')}"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as made:
        yield made
