import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served
from sqlalchemy import text

from fairway.kit.net import free_port
from fairway.store.database import Database


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path, free_port())


@pytest.fixture
def empty_postgres() -> Iterator[str]:
    """A database without a table."""
    given = os.environ["FAIRWAY_TEST_POSTGRES"]
    name = f"fairway_serve_{os.getpid()}"
    server = Database(given)
    autocommit = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    yield given.rpartition("/")[0] + "/" + name
    with autocommit.connect() as db:
        db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.close()
