"""Brings a database to this version's schema, by the migrations in `store/migrations`.

There is no way down: a backup is the way back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, inspect, text

from fairway.model.errors import Conflict
from fairway.store.database import Database

HERE: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7_464_001  # PostgreSQL: only one process upgrades at a time


def head() -> str:
    """The newest version that this program knows."""
    return max(path.name[:4] for path in (HERE / "versions").glob("[0-9]*.py"))


def current(db: Connection) -> str | None:
    """The version that a database has; None before its first."""
    if not inspect(db).has_table("alembic_version"):
        return None
    found: str | None = db.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(database: Database) -> None:
    """Run the migrations that are missing. Blocks; safe to repeat and to race.

    Raises `Conflict` (code `schema-newer`) for a database of a later version of Fairway.
    """
    with database.engine.connect() as db:
        found = current(db)
    if found == head():
        return
    if found is not None and found > head():
        raise Conflict(
            f"the database has schema {found}, this Fairway knows {head()} at most",
            code="schema-newer",
            remedy="use the newer Fairway, or restore a backup of the older one",
        )
    database.write_now(_upgrade)


def _upgrade(db: Connection) -> None:
    from alembic import command  # noqa: PLC0415 it is slow to import, and seldom needed

    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(config(db), "head")


def config(db: Connection) -> Any:
    """alembic's configuration for a connection."""
    from alembic.config import Config  # noqa: PLC0415 as above

    made = Config()
    made.set_main_option("script_location", str(HERE))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = db
    return made
