"""Leases: who does a piece of work that only one may do. A dead holder's lease runs out."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.store.schema import lease

COLLECT: Final = "collect"
"""Who holds it may remove what nothing names; a backup holds it so that nobody does."""


_TAKE: Final = (
    update(lease)
    .where(lease.c.name == bindparam("of"))
    .where(or_(lease.c.holder == bindparam("by"), lease.c.until < bindparam("now")))
    .values(holder=bindparam("by"), until=bindparam("end"))
)


def acquire(db: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease. Returns whether `holder` has it now, for `seconds` from now on."""
    now = clock.now()
    until = now + int(seconds * 1000)
    if db.execute(_TAKE, {"of": name, "by": holder, "now": now, "end": until}).rowcount == 1:
        return True
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    made = db.execute(
        dialect.insert(lease)
        .values(name=name, holder=holder, until=until)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(lease.c.id)
    )
    return made.first() is not None


def release(db: Connection, name: str, holder: str) -> None:
    """Give a lease back; another's stays."""
    db.execute(update(lease).where(lease.c.name == name, lease.c.holder == holder).values(until=0))


def holder_of(db: Connection, name: str) -> str | None:
    """Who holds it now."""
    query = select(lease.c.holder).where(lease.c.name == name, lease.c.until >= clock.now())
    found: str | None = db.execute(query).scalar()
    return found
