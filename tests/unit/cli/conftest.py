"""The command line against the real API, in one process."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairway.api.app import api_app
from fairway.cli import session
from fairway.client.context import Context
from fairway.client.http import Api
from fairway.kit import clock
from fairway.store.database import sqlite_url
from fairway.testing.apiworld import URL, ApiWorld, Current
from fairway.testing.asgi import AsgiTransport, LoopThread
from fairway.testing.commandline import Line
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
def fairway(
    shared: tuple[Current, Any],
    api_world: ApiWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Line]:
    monkeypatch.chdir(tmp_path)
    for name in ("FAIRWAY_CONTEXT", "FAIRWAY_URL", "FAIRWAY_TOKEN", "FAIRWAY_REPO", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    with LoopThread() as thread:
        current, app = shared
        current.world = api_world
        transport = AsgiTransport(app, thread)
        token = api_world.token("ada")

        class Here(session.Session):
            """Speaks to the application of this process."""

            @property
            def context(self) -> Context:
                return Context(url=URL, token=self._token or token)

            def _open(self) -> Api:
                return Api(self.context.url, self.context.token, transport=transport,
                           wait=lambda _: None)  # fmt: skip

        def made(**options: Any) -> session.Session:
            return Here(**options)

        monkeypatch.setattr(session, "make_session", made)
        yield Line(api_world, thread, tmp_path)


@pytest.fixture
def still() -> Iterator[None]:
    """Time stands still for the command line: ages in tables are fixed."""
    former = clock.use(lambda: 1_800_000_000.0)
    yield
    clock.use(former)
