"""Cron jobs. Writing belongs to `source`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from fairway.kit import clock
from fairway.model.cron import Cron, Missed
from fairway.store.schema import cron, repository


def create(db: Connection, repository_id: int, values: Mapping[str, Any]) -> Cron:
    """Write a new job; its name must be free in the repository."""
    row = {"repository": repository_id, "created": clock.now(), **msgspec.to_builtins(values)}
    return _cron(db.execute(insert(cron).values(row).returning(*cron.c)).mappings().one())


def by_name(db: Connection, repository_id: int, name: str) -> Cron | None:
    """A job of a repository that the asker may see."""
    query = select(cron).where(cron.c.repository == repository_id, cron.c.name == name)
    row = db.execute(query).mappings().first()
    return _cron(row) if row else None


def listing(db: Connection, repository_id: int) -> list[Cron]:
    """The jobs of a repository that the asker may see, by name."""
    query = select(cron).where(cron.c.repository == repository_id).order_by(cron.c.name)
    return [_cron(row) for row in db.execute(query).mappings()]


def change(db: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Set columns."""
    db.execute(update(cron).where(cron.c.id == number).values(msgspec.to_builtins(values)))


def remove(db: Connection, number: int) -> None:
    """Delete a job."""
    db.execute(delete(cron).where(cron.c.id == number))


def due(db: Connection, now: int, *, limit: int = 100) -> list[tuple[Cron, str, str, bool]]:
    """Jobs whose minute has come, as (job, slug, default branch, whether the repository builds)."""
    query = (
        select(cron, repository.c.slug, repository.c.default_branch, repository.c.active)
        .join(repository, repository.c.id == cron.c.repository)
        .where(cron.c.disabled.is_(False), cron.c.next_at <= now)
        .order_by(cron.c.next_at, cron.c.id)
        .limit(limit)
        .with_for_update(of=cron, skip_locked=True)
    )
    return [
        (_cron(row), row["slug"], row["default_branch"], row["active"])
        for row in db.execute(query).mappings()
    ]


def next_due(db: Connection) -> int | None:
    """When the next job's minute comes."""
    at: int | None = db.execute(
        select(func.min(cron.c.next_at)).where(cron.c.disabled.is_(False))
    ).scalar()
    return at


def _cron(row: RowMapping) -> Cron:
    values = {name: row[name] for name in Cron.__struct_fields__}
    values["missed"] = Missed(values["missed"])
    return Cron(**values)
