"""Change requests. Writing belongs to `source`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update

from fairway.kit import clock
from fairway.model.change_request import ChangeRequest, ChangeState
from fairway.store.rows import each, to
from fairway.store.schema import build, change_request, repository, stage


def create(db: Connection, repository_id: int, values: Mapping[str, Any]) -> ChangeRequest:
    """Write a new one with the repository's next number."""
    locked = select(repository.c.id).where(repository.c.id == repository_id).with_for_update()
    db.execute(locked)
    last = select(func.max(change_request.c.number)).where(
        change_request.c.repository == repository_id
    )
    number = (db.execute(last).scalar() or 0) + 1
    now = clock.now()
    row = {"repository": repository_id, "number": number, "created": now, "changed": now}
    query = insert(change_request).values(row | msgspec.to_builtins(dict(values)))
    return to(db.execute(query.returning(*change_request.c)).one(), ChangeRequest)


def change(db: Connection, of: ChangeRequest, **values: Any) -> ChangeRequest | None:
    """Set columns, if nobody else has since `of` was read: else None."""
    query = (
        update(change_request)
        .where(change_request.c.id == of.id, change_request.c.version == of.version)
        .values(**msgspec.to_builtins(values), version=of.version + 1, changed=clock.now())
        .returning(*change_request.c)
    )
    row = db.execute(query).first()
    return to(row, ChangeRequest) if row else None


def find(db: Connection, change_id: int) -> ChangeRequest | None:
    """One by id; None when it was deleted with its repository."""
    row = db.execute(select(change_request).where(change_request.c.id == change_id)).first()
    return to(row, ChangeRequest) if row else None


def locked(db: Connection, change_id: int) -> ChangeRequest | None:
    """As `find`, and nobody else changes it until the transaction ends."""
    query = select(change_request).where(change_request.c.id == change_id).with_for_update()
    row = db.execute(query).first()
    return to(row, ChangeRequest) if row else None


def by_number(db: Connection, repository_id: int, number: int) -> ChangeRequest | None:
    """One of a repository that the asker may see."""
    query = select(change_request).where(
        change_request.c.repository == repository_id, change_request.c.number == number
    )
    row = db.execute(query).first()
    return to(row, ChangeRequest) if row else None


def open_for(db: Connection, repository_id: int, branch: str) -> list[ChangeRequest]:
    """Open ones that come from a branch or go to it."""
    query = select(change_request).where(
        change_request.c.repository == repository_id,
        change_request.c.state == ChangeState.OPEN,
        or_(change_request.c.source == branch, change_request.c.target == branch),
    )
    return each(db.execute(query.order_by(change_request.c.number)), ChangeRequest)


def open_between(
    db: Connection, repository_id: int, source: str, target: str
) -> ChangeRequest | None:
    """The open one from a branch to another."""
    found = open_for(db, repository_id, source)
    return next((one for one in found if (one.source, one.target) == (source, target)), None)


def listing(
    db: Connection,
    repository_id: int,
    *,
    states: Sequence[str] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[ChangeRequest]:
    """Those of a repository that the asker may see, newest first."""
    query = select(change_request).where(change_request.c.repository == repository_id)
    if states:
        query = query.where(change_request.c.state.in_(list(states)))
    if before is not None:
        query = query.where(change_request.c.number < before)
    return each(
        db.execute(query.order_by(change_request.c.number.desc()).limit(limit)), ChangeRequest
    )


def results(db: Connection, repository_id: int, number: int) -> dict[str, str]:
    """What became of each pipeline of a build: its checks, by name."""
    query = (
        select(stage.c.name, stage.c.status)
        .join(build, build.c.id == stage.c.build)
        .where(build.c.repository == repository_id, build.c.number == number)
        .order_by(stage.c.number)
    )
    return {row.name: row.status for row in db.execute(query)}
