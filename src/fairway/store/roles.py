"""Roles, and what a scope means in SQL. Writing belongs to `access`."""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    false,
    insert,
    or_,
    select,
    true,
    update,
)

from fairway.kit import clock
from fairway.model.repository import Visibility
from fairway.model.role import Grant, Role, at_least
from fairway.model.scope import Scope
from fairway.store.alone import alone
from fairway.store.schema import organisation as organisations
from fairway.store.schema import repository, role, user


def visible(scope: Scope, least: Role = Role.READER) -> ColumnElement[bool]:
    """A condition on the table `repository`: the scope has at least this role there."""
    condition = _unbound(scope, least)
    return condition if scope.only is None else and_(condition, repository.c.id == scope.only)


def _unbound(scope: Scope, least: Role) -> ColumnElement[bool]:
    if scope.everything:
        return true()
    reading = least is Role.READER
    public = repository.c.visibility == Visibility.PUBLIC if reading else false()
    if scope.build_repository is not None:
        return or_(public, _of_build(scope)) if reading else false()
    if scope.user is None:
        return public
    internal = repository.c.visibility == Visibility.INTERNAL if reading else false()
    granted = exists().where(
        role.c.user == scope.user,
        role.c.name.in_(at_least(least)),
        or_(
            role.c.repository == repository.c.id,
            and_(role.c.repository.is_(None), role.c.organisation == repository.c.organisation),
        ),
    )
    return or_(public, internal, granted)


def _of_build(scope: Scope) -> ColumnElement[bool]:
    """Its own repository, and what its organisation shows internally."""
    return or_(
        repository.c.id == scope.build_repository,
        and_(
            repository.c.organisation == scope.build_organisation,
            repository.c.visibility == Visibility.INTERNAL,
        ),
    )


def on_repository(db: Connection, scope: Scope, number: int) -> Role | None:
    """The strongest role that the scope has on a repository; None when it does not see it."""
    for each in reversed(Role):
        query = select(repository.c.id).where(repository.c.id == number, visible(scope, each))
        if db.execute(query).first():
            return each
    return None


def on_organisation(db: Connection, scope: Scope, number: int) -> Role | None:
    """The strongest role that the scope has on a whole organisation."""
    if scope.everything and scope.only is None:
        return Role.ADMIN
    if scope.user is None or scope.only is not None or scope.build_repository is not None:
        return None
    query = select(role.c.name).where(
        role.c.user == scope.user, role.c.organisation == number, role.c.repository.is_(None)
    )
    found = [Role(name) for (name,) in db.execute(query)]
    return max(found, key=lambda each: each.rank, default=None)


def grant(
    db: Connection,
    user_id: int,
    name: Role,
    *,
    organisation: int | None = None,
    repository_id: int | None = None,
) -> None:
    """Give a role in one organisation or one repository, in place of the one held there."""
    alone(db, f"role {user_id} {organisation} {repository_id}")
    place = _place(user_id, organisation, repository_id)
    if not db.execute(update(role).where(place).values(name=str(name))).rowcount:
        db.execute(
            insert(role).values(
                user=user_id,
                name=str(name),
                organisation=organisation,
                repository=repository_id,
                created=clock.now(),
            )
        )


def revoke(
    db: Connection,
    user_id: int,
    *,
    organisation: int | None = None,
    repository_id: int | None = None,
) -> bool:
    """Take the role away. Returns whether there was one."""
    place = _place(user_id, organisation, repository_id)
    return bool(db.execute(delete(role).where(place)).rowcount)


def held(
    db: Connection,
    user_id: int,
    *,
    organisation: int | None = None,
    repository_id: int | None = None,
) -> Role | None:
    """The role granted at exactly this place."""
    place = _place(user_id, organisation, repository_id)
    name = db.execute(select(role.c.name).where(place)).scalar()
    return Role(name) if name else None


def of_user(db: Connection, user_id: int) -> list[tuple[str, Role]]:
    """(organisation, role) for each role that a user has in a whole organisation."""
    query = (
        select(organisations.c.name, role.c.name.label("role"))
        .join(organisations, organisations.c.id == role.c.organisation)
        .where(role.c.user == user_id, role.c.repository.is_(None))
        .order_by(organisations.c.name)
    )
    return [(row.name, Role(row.role)) for row in db.execute(query)]


def listing(
    db: Connection, *, organisation: int | None = None, repository_id: int | None = None
) -> list[Grant]:
    """The grants of one organisation or one repository: its maintainers have been asked for."""
    query = (
        select(role, user.c.login)
        .join(user, user.c.id == role.c.user)
        .where(role.c.organisation.is_not_distinct_from(organisation))
        .where(role.c.repository.is_not_distinct_from(repository_id))
        .order_by(user.c.login)
    )
    return [
        Grant(
            id=row["id"],
            user=row["user"],
            login=row["login"],
            role=Role(row["name"]),
            organisation=row["organisation"],
            repository=row["repository"],
            created=row["created"],
        )
        for row in db.execute(query).mappings()
    ]


def _place(
    user_id: int, organisation: int | None, repository_id: int | None
) -> ColumnElement[bool]:
    return and_(
        role.c.user == user_id,
        role.c.organisation.is_not_distinct_from(organisation),
        role.c.repository.is_not_distinct_from(repository_id),
    )
