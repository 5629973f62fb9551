"""A closed database leaves no connection behind, not even one that a late thread gives back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, text

from fairway.store.database import Database


def test_a_connection_in_use_at_the_close_is_closed_when_it_comes_back(database: Database) -> None:
    closed: list[Any] = []
    event.listen(database.engine, "close", lambda raw, _record: closed.append(raw))
    with database.engine.connect() as late:
        late.execute(text("SELECT 1"))
        raw = late.connection.dbapi_connection
        database.close()
        assert raw not in closed
    assert raw in closed
    assert database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


def test_a_thread_that_begins_after_the_close_leaves_nothing_open(database: Database) -> None:
    closed: list[Any] = []
    database.close()
    event.listen(database.engine, "close", lambda raw, _record: closed.append(raw))
    assert database.read_now(lambda db: db.scalar(text("SELECT 1"))) == 1
    assert len(closed) == 1
