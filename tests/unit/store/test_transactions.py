"""What a transaction sees, and who waits for whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fairway.model.errors import Unavailable
from fairway.store.database import Database, sqlite_url


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path / "some.db"), durable=False)
    made.write_now(lambda db: db.execute(text("CREATE TABLE kept (n INTEGER)")))
    yield made
    made.close()


def count(db: Connection) -> int:
    found = db.execute(text("SELECT count(*) FROM kept")).scalar()
    assert isinstance(found, int)
    return found


def add(db: Connection) -> None:
    db.execute(text("INSERT INTO kept VALUES (1)"))


def test_a_reader_sees_one_moment_whatever_others_write_meanwhile(database: Database) -> None:
    def read(db: Connection) -> list[int]:
        before = count(db)
        database.write_now(add)
        return [before, count(db)]

    assert database.read_now(read) == [0, 0]
    assert database.read_now(count) == 1


def test_a_writer_keeps_others_out_from_its_beginning_and_a_reader_nobody(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "some.db", timeout=0, isolation_level=None)

    def write(db: Connection) -> None:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    database.write_now(write)  # it has changed nothing yet

    def read(db: Connection) -> None:
        count(db)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO kept VALUES (2)")
        other.execute("COMMIT")

    database.read_now(read)
    other.close()
    assert database.read_now(count) == 1


def test_what_fails_writes_nothing_and_the_next_one_is_not_hindered(database: Database) -> None:
    def fail(db: Connection) -> None:
        add(db)
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            database.write_now(fail)
    assert database.read_now(count) == 0
    database.write_now(add)
    assert database.read_now(count) == 1


def test_a_beginning_that_fails_is_told_as_the_database_that_does_not_answer(
    database: Database, tmp_path: Path
) -> None:
    impatient = Database(sqlite_url(tmp_path / "some.db"), durable=False)
    with impatient.engine.connect() as db:
        db.execute(text("PRAGMA busy_timeout=0"))
    other = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        impatient.write_now(add)
    other.execute("ROLLBACK")
    other.close()
    impatient.write_now(add)
    assert database.read_now(count) == 1
    impatient.close()


def test_no_statement_is_shown_to_a_listener(database: Database) -> None:
    """One listener of an engine costs each statement of all chapters time."""
    assert not database.engine._has_events
