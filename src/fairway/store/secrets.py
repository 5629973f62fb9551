"""Secrets: sealed values and what they are bound to. Writing belongs to `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from fairway.kit import clock
from fairway.model.secret import Binding, Sealed, SecretFacts
from fairway.store.alone import alone
from fairway.store.rows import to
from fairway.store.schema import repository, secret


def _place(organisation: int | None, repository_id: int | None) -> ColumnElement[bool]:
    return and_(
        secret.c.organisation.is_not_distinct_from(organisation),
        secret.c.repository.is_not_distinct_from(repository_id),
    )


def put(
    db: Connection,
    name: str,
    sealed: bytes,
    key_id: str,
    *,
    organisation: int | None,
    repository_id: int | None,
    binding: Binding,
) -> SecretFacts:
    """Write a secret, in place of the one of that name."""
    alone(db, f"secret {organisation} {repository_id} {name}")
    now = clock.now()
    values = {"sealed": sealed, "key_id": key_id, "updated": now, **msgspec.to_builtins(binding)}
    mine = and_(_place(organisation, repository_id), secret.c.name == name)
    if not db.execute(update(secret).where(mine).values(values)).rowcount:
        place = {"organisation": organisation, "repository": repository_id, "name": name}
        db.execute(insert(secret).values(**values, **place, created=now))
    return to(db.execute(select(secret).where(mine)).one(), SecretFacts)


def listing(
    db: Connection, *, organisation: int | None = None, repository_id: int | None = None
) -> list[SecretFacts]:
    """The secrets of exactly one place, by name; neither given: the global ones."""
    query = select(secret).where(_place(organisation, repository_id)).order_by(secret.c.name)
    return [to(row, SecretFacts) for row in db.execute(query)]


def remove(
    db: Connection, name: str, *, organisation: int | None = None, repository_id: int | None = None
) -> bool:
    """Delete a secret. Returns whether there was one."""
    mine = and_(_place(organisation, repository_id), secret.c.name == name)
    return bool(db.execute(delete(secret).where(mine)).rowcount)


def reaching(db: Connection, repository_id: int, names: Sequence[str]) -> list[Sealed]:
    """Secrets of these names that a repository may see: its own, its organisation's, global."""
    of = select(repository.c.organisation).where(repository.c.id == repository_id)
    query = select(secret).where(
        secret.c.name.in_(list(names)),
        or_(
            secret.c.repository == repository_id,
            and_(secret.c.repository.is_(None), secret.c.organisation == of.scalar_subquery()),
            _place(None, None),
        ),
    )
    return [_sealed(row) for row in db.execute(query.order_by(secret.c.id))]


def used(db: Connection, ids: Sequence[int]) -> None:
    """Remember that a build was given these."""
    if ids:
        db.execute(update(secret).where(secret.c.id.in_(list(ids))).values(used=clock.now()))


def _sealed(row: Row[Any]) -> Sealed:
    return Sealed(facts=to(row, SecretFacts), sealed=row.sealed)
