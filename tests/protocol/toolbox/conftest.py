"""The real toolbox: one for the session, and one of a test's own, whose processes it may kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from toolboxcharts import program

from fairway.native.server import Server
from fairway.native.toolbox import Toolbox


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = program()
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    found = program()
    server = Server(tmp_path / "toolbox", lambda: found)
    yield server
    server.stop()
