"""Settings that the running system changes itself: pauses, the state of the disk."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from fairway.store.schema import setting


def get(db: Connection, name: str) -> Any:
    """A value, None when it was never set."""
    return db.execute(select(setting.c.value).where(setting.c.name == name)).scalar()


def put(db: Connection, name: str, value: Any) -> None:
    """Set a value; None removes it."""
    if value is None:
        db.execute(delete(setting).where(setting.c.name == name))
        return
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(setting).values(name=name, value=value)
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
