"""One at a time, where there is no row yet that could be locked."""

from __future__ import annotations

from sqlalchemy import Connection, func, select


def alone(db: Connection, what: str) -> None:
    """Until this transaction ends, nobody else goes on who asks for the same: of two that would
    both be the first, one waits and sees the other's. SQLite has one writer anyway.
    """
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))
