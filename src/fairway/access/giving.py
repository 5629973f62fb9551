"""Roles given and taken, by those who may, with their audit entries."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.access.authorise import Action, require, require_organisation
from fairway.access.identity import Identity
from fairway.access.teams import person
from fairway.model.errors import NotFound
from fairway.model.role import Grant, Role
from fairway.model.token import TokenScope
from fairway.store import audit, organisations, roles


def _organisation(db: Connection, who: Identity, name: str) -> int:
    """The organisation whose roles `who` may give. Raises `Forbidden`, `NotFound`."""
    found = organisations.by_name(db, name)
    number = None if found is None else found.id
    require_organisation(db, who, number, least=Role.ADMIN, scope=TokenScope.REPO_ADMIN)
    if number is None:
        raise NotFound(f"there is no organisation {name[:100]!r}", code="no-organisation")
    return number


def _place(db: Connection, who: Identity, place: str) -> dict[str, int]:
    """`org`, or `org/name`: as the store wants it."""
    if "/" in place:
        return {"repository_id": require(db, who, Action.GIVE_ROLES, place).id}
    return {"organisation": _organisation(db, who, place)}


def listing(db: Connection, who: Identity, place: str) -> list[Grant]:
    """Who has which role of its own in `org` or `org/name`. Raises `Forbidden`, `NotFound`."""
    return roles.listing(db, **_place(db, who, place))


def grant(db: Connection, who: Identity, place: str, *, login: str, role: Role) -> Grant:
    """Give a user a role in a place, in place of a former one. Raises as `listing` does."""
    where = _place(db, who, place)
    user = person(db, login).id
    before = roles.held(db, user, **where)
    roles.grant(db, user, role, **where)
    audit.append(db, who.login, "role.grant", f"{place}/{login}", before=before, after=role)
    return next(one for one in roles.listing(db, **where) if one.user == user)


def revoke(db: Connection, who: Identity, place: str, *, login: str) -> None:
    """Take a user's role in a place away. Raises as `listing` does."""
    where = _place(db, who, place)
    user = person(db, login).id
    before = roles.held(db, user, **where)
    if not roles.revoke(db, user, **where):
        raise NotFound(f"{login} has no role of its own in {place}", code="no-role")
    audit.append(db, who.login, "role.revoke", f"{place}/{login}", before=before)
