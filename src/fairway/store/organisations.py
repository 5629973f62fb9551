"""Organisations. Writing belongs to `access`."""

from __future__ import annotations

from sqlalchemy import Connection, exists, insert, or_, select

from fairway.kit import clock
from fairway.model.organisation import Organisation
from fairway.model.scope import Scope
from fairway.store import roles
from fairway.store.schema import organisation, repository, role


def create(db: Connection, name: str) -> Organisation:
    """Write a new organisation; the name must be free."""
    values = {"name": name, "created": clock.now()}
    query = insert(organisation).values(values).returning(*organisation.c)
    return Organisation(**db.execute(query).mappings().one())


def by_name(db: Connection, name: str) -> Organisation | None:
    """The organisation of that name. For decisions on rights, which come afterwards."""
    row = db.execute(select(organisation).where(organisation.c.name == name)).mappings().first()
    return Organisation(**row) if row else None


def listing(
    db: Connection, scope: Scope, *, after: int = 0, limit: int = 100
) -> list[Organisation]:
    """Organisations in which the scope has a role, or sees a repository."""
    query = (
        select(organisation)
        .where(organisation.c.id > after)
        .order_by(organisation.c.id)
        .limit(limit)
    )
    if not scope.unbounded:
        seen = exists().where(repository.c.organisation == organisation.c.id, roles.visible(scope))
        member = exists().where(
            role.c.organisation == organisation.c.id, role.c.user == (scope.user or 0)
        )
        query = query.where(or_(seen, member) if scope.only is None else seen)
    return [Organisation(**row) for row in db.execute(query).mappings()]
