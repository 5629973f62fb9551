"""Fixtures for all suites."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import text

from fairway.kit.garbage import look_seldom
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.databases import QuickDatabase

# How long an example takes says how busy the machine is. In CI the examples are always the same.
settings.register_profile(
    "fairway",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("fairway")

_GZIP = b"\x1f\x8b"


def pytest_make_parametrize_id(val: object) -> None:
    """Refuse a gzip as a test's name: it holds the second it was made in, and two workers of one
    run would each know the test by another name."""
    if isinstance(val, bytes) and val.startswith(_GZIP) and len(val) > len(_GZIP):
        raise pytest.UsageError("a gzip is among a test's parameters: give it a name (ids=...)")


def pytest_collection_finish() -> None:
    """What was collected stays: no look for garbage goes through it again, some thousand times."""
    look_seldom()
    gc.collect()
    gc.freeze()


POSTGRES = os.environ.get("FAIRWAY_TEST_POSTGRES", "")
KINDS = [
    "sqlite",
    pytest.param(
        "postgres",
        marks=[
            pytest.mark.postgres,
            pytest.mark.skipif(not POSTGRES, reason="FAIRWAY_TEST_POSTGRES names no server"),
        ],
    ),
]


@pytest.fixture(scope="session", autouse=True)
def own_loop() -> Iterator[None]:
    """Give the main thread a loop that is closed: pytest-asyncio would make one and leave it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with every table: copied for each test."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = Database(sqlite_url(path), durable=False)
    metadata.create_all(database.engine)
    database.write_now(lambda db: None)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_url(worker_id: str) -> Iterator[str]:
    """A database of this test process's own on the test server."""
    name = f"fairway_test_{os.getpid()}_{worker_id}"
    server = Database(POSTGRES)
    autocommit = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    url = POSTGRES.rpartition("/")[0] + "/" + name
    database = Database(url)
    metadata.create_all(database.engine)
    database.close()
    yield url
    with autocommit.connect() as db:
        db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.close()


# TRUNCATE makes every table and every index a new file: a third of a second, and most are empty.
EMPTY = """
DO $$
DECLARE one record;
BEGIN
    SET LOCAL session_replication_role = replica;  -- no foreign key is looked at
    FOR one IN SELECT oid::regclass AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE 'DELETE FROM ' || one.name;
    END LOOP;
    FOR one IN SELECT format('%I.%I', schemaname, sequencename)::regclass AS name
        FROM pg_sequences WHERE last_value IS NOT NULL
    LOOP
        PERFORM setval(one.name, 1, false);
    END LOOP;
END $$
"""


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database: on SQLite, and on PostgreSQL where a test server is named."""
    if request.param == "sqlite":
        path = tmp_path / "fairway.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        opened: Database = QuickDatabase(sqlite_url(path))
    else:
        opened = QuickDatabase(request.getfixturevalue("postgres_url"))
        opened.write_now(lambda db: db.execute(text(EMPTY)))
    yield opened
    opened.close()
