"""Leases: who does a piece of work that only one may do. A dead holder's lease runs out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, or_, select, update
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


class Row(NamedTuple):
    """A lease as it stands; `until` is in milliseconds of the time of day."""

    name: str
    holder: str
    until: int


def beginning(db: Connection, prefix: str) -> list[Row]:
    """All leases whose names begin so, whether they are held or not."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    query = select(lease.c.name, lease.c.holder, lease.c.until)
    found = db.execute(query.where(lease.c.name >= prefix, lease.c.name < after))
    return [Row(name, holder or "", until) for name, holder, until in found]


def make(db: Connection, names: Collection[str]) -> None:
    """Make leases that nobody holds; those that are there stay as they are."""
    if not names:
        return
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    rows = [{"name": name, "holder": "", "until": 0} for name in sorted(names)]
    statement = dialect.insert(lease).values(rows)
    db.execute(statement.on_conflict_do_nothing(index_elements=["name"]))


_HOLD: Final = (
    update(lease)
    .where(lease.c.name.in_(bindparam("names", expanding=True)))
    .where(or_(lease.c.holder == bindparam("by"), lease.c.until < bindparam("now")))
    .values(holder=bindparam("by"), until=bindparam("end"))
    .returning(lease.c.name)
)


def hold(db: Connection, names: Collection[str], holder: str, seconds: float) -> set[str]:
    """Take or renew many leases that exist, in one statement. Returns those that `holder` has."""
    now = clock.now()
    end = now + int(seconds * 1000)
    given = {"names": sorted(names), "by": holder, "now": now, "end": end}
    return set(db.execute(_HOLD, given).scalars())


def let_go(db: Connection, names: Collection[str], holder: str) -> None:
    """Give many leases back; others' stay."""
    wanted = lease.c.name.in_(sorted(names))
    db.execute(update(lease).where(wanted, lease.c.holder == holder).values(until=0))


def forget(db: Connection, names: Collection[str], before: int) -> None:
    """Remove leases that ran out before that time of day."""
    db.execute(delete(lease).where(lease.c.name.in_(sorted(names)), lease.c.until < before))
