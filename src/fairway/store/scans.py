"""Bills of materials and advisories. Writing belongs to `image`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, tuple_

from fairway.kit import clock
from fairway.model.scan import Advisory
from fairway.store.schema import advisory, advisory_source, bill

_AT_ONCE: Final = 300  # values of one statement


def keep_bill(db: Connection, digest: str, values: Mapping[str, Any]) -> None:
    """Write what is in a digest, in place of what was thought before."""
    db.execute(delete(bill).where(bill.c.digest == digest))
    db.execute(insert(bill).values(digest=digest, created=clock.now(), **values))


def bill_of(db: Connection, digest: str) -> RowMapping | None:
    """The row of a digest."""
    return db.execute(select(bill).where(bill.c.digest == digest)).mappings().first()


def put_advisories(db: Connection, found: Sequence[Advisory]) -> None:
    """Write advisories, in place of those of the same record and package."""
    for one in found:
        where = (
            advisory.c.ecosystem == one.ecosystem,
            advisory.c.package == one.package,
            advisory.c.name == one.name,
        )
        db.execute(delete(advisory).where(*where))
    if found:
        db.execute(
            insert(advisory),
            [
                {
                    "ecosystem": one.ecosystem,
                    "package": one.package,
                    "name": one.name,
                    "record": msgspec.to_builtins(one),
                }
                for one in found
            ],
        )


def forget_advisories(db: Connection, names: Sequence[str]) -> None:
    """Remove withdrawn records."""
    for at in range(0, len(names), _AT_ONCE):
        db.execute(delete(advisory).where(advisory.c.name.in_(names[at : at + _AT_ONCE])))


def note_import(db: Connection, ecosystem: str, records: int) -> None:
    """An ecosystem's records are whole, as of now."""
    db.execute(delete(advisory_source).where(advisory_source.c.ecosystem == ecosystem))
    values = {"ecosystem": ecosystem, "imported": clock.now(), "records": records}
    db.execute(insert(advisory_source).values(values))


def imports(db: Connection) -> dict[str, tuple[int, int]]:
    """Ecosystem -> (when its records were imported, how many)."""
    rows = db.execute(select(advisory_source).order_by(advisory_source.c.ecosystem))
    return {row.ecosystem: (row.imported, row.records) for row in rows}


def known(
    db: Connection, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Advisory]]:
    """The advisories of each (ecosystem, package)."""
    wanted = sorted(set(pairs))
    found: dict[tuple[str, str], list[Advisory]] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        query = select(advisory.c.ecosystem, advisory.c.package, advisory.c.record)
        query = query.where(tuple_(advisory.c.ecosystem, advisory.c.package).in_(part))
        for row in db.execute(query.order_by(advisory.c.name)):
            made = msgspec.convert(row.record, Advisory)
            found.setdefault((row.ecosystem, row.package), []).append(made)
    return found
