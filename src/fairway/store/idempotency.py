"""Idempotency keys: which request a key was first used for. Writing belongs to `api`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.store.schema import idempotency

KEEP_MS = 24 * 3600 * 1000


def first(db: Connection, key: str, request: str) -> str:
    """Remember a key's request. Returns the request it was first used for."""
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    now = clock.now()
    db.execute(delete(idempotency).where(idempotency.c.at < now - KEEP_MS))
    statement = dialect.insert(idempotency).values(key=key, request=request, at=now)
    db.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    row = db.execute(select(idempotency).where(idempotency.c.key == key)).one()
    return str(row.request)
