"""Migrations: a migrated database equals a fresh one, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from fairway.model.errors import Conflict
from fairway.store import migrate
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata

AGAIN = "the schema changed: scripts/migration writes the migration for it"


@pytest.fixture
def empty(database: Database, tmp_path: Path) -> Iterator[Database]:
    """A database without any table, beside the fresh one."""
    if database.sqlite:
        opened = Database(sqlite_url(tmp_path / "migrated.db"), durable=False)
        yield opened
        opened.close()
        return
    with database.engine.begin() as db:
        db.execute(text("DROP SCHEMA IF EXISTS migrated CASCADE"))
        db.execute(text("CREATE SCHEMA migrated"))
    opened = Database(f"{database.url}?options=-csearch_path%3Dmigrated")
    yield opened
    opened.close()
    with database.engine.begin() as db:
        db.execute(text("DROP SCHEMA migrated CASCADE"))


def shape(database: Database) -> dict[str, Any]:
    """Everything about the tables that the database itself tells."""
    found: dict[str, Any] = {}
    seen = inspect(database.engine)
    for name in seen.get_table_names():
        if name == "alembic_version":
            continue
        columns = {
            column["name"]: (str(column["type"]), column["nullable"], str(column.get("default")))
            for column in seen.get_columns(name)
        }
        found[name] = {
            "columns": {
                name: (kind, null, _plain(default))
                for name, (kind, null, default) in columns.items()
            },
            "key": seen.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(
                (one["name"] or "", tuple(one["column_names"]))
                for one in seen.get_unique_constraints(name)
            ),
            "indexes": sorted(
                (one["name"] or "", tuple(str(column) for column in one["column_names"]))
                for one in seen.get_indexes(name)
            ),
            "references": sorted(
                (tuple(one["constrained_columns"]), one["referred_table"], str(one["options"]))
                for one in seen.get_foreign_keys(name)
            ),
        }
    return found


def _plain(default: str) -> str:
    """A default without the name of its schema."""
    return default.replace("migrated.", "")


def test_a_migrated_database_equals_a_fresh_one(database: Database, empty: Database) -> None:
    migrate.upgrade(empty)
    fresh, migrated = shape(database), shape(empty)
    assert migrated.keys() == fresh.keys(), AGAIN
    for name, table in fresh.items():
        assert migrated[name] == table, f"{name}: {AGAIN}"


def test_nothing_is_left_for_alembic_to_change(empty: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    migrate.upgrade(empty)
    with empty.engine.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == [], AGAIN


def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    migrate.upgrade(empty)
    migrate.upgrade(empty)
    with empty.engine.connect() as db:
        assert migrate.current(db) == migrate.head()


def test_a_database_of_a_later_version_is_refused(empty: Database) -> None:
    migrate.upgrade(empty)
    with empty.engine.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="schema 9999"):
        migrate.upgrade(empty)
