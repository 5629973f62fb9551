"""Teams made, filled and removed by admins, with their audit entries."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.model.errors import Conflict, NotFound
from fairway.model.name import check_name
from fairway.model.team import Team
from fairway.model.user import User
from fairway.store import audit, teams, users


def create(db: Connection, who: Identity, name: str) -> Team:
    """A new team. Raises `Forbidden`, `InvalidInput`, `Conflict` (code `team-exists`)."""
    require_admin(who)
    check_name(name, "a team")
    if teams.by_name(db, name) is not None:
        raise Conflict(
            f"there is a team {name!r} already",
            code="team-exists",
            remedy=f"`fairway team add {name} LOGIN` makes somebody a member",
        )
    made = teams.create(db, name)
    audit.append(db, who.login, "team.create", f"team/{name}")
    return made


def remove(db: Connection, who: Identity, name: str) -> None:
    """End a team, and the rights of its members that came by it. Raises as `add`."""
    require_admin(who)
    found = named(db, name)
    teams.drop(db, found.id)
    audit.append(db, who.login, "team.delete", f"team/{name}", before=list(found.members))


def add(db: Connection, who: Identity, name: str, login: str) -> Team:
    """Make a user a member; a member stays one. Raises `Forbidden`, `NotFound`."""
    require_admin(who)
    found, member = named(db, name), person(db, login)
    if teams.add(db, found.id, member.id):
        audit.append(db, who.login, "team.add", f"team/{name}", after=login)
    return named(db, name)


def leave(db: Connection, who: Identity, name: str, login: str) -> Team:
    """End a membership. Raises `Forbidden`, `NotFound` (code `no-member`)."""
    require_admin(who)
    found, member = named(db, name), person(db, login)
    if not teams.remove(db, found.id, member.id):
        raise NotFound(
            f"{login} is no member of the team {name}",
            code="no-member",
            remedy="`fairway team ls` says who is",
        )
    audit.append(db, who.login, "team.remove", f"team/{name}", before=login)
    return named(db, name)


def named(db: Connection, name: str) -> Team:
    """The team of that name. Raises `NotFound` (code `no-team`)."""
    found = teams.by_name(db, name)
    if found is None:
        raise NotFound(
            f"there is no team {name[:100]!r}", code="no-team", remedy="`fairway team create NAME`"
        )
    return found


def person(db: Connection, login: str) -> User:
    """The user of that login. Raises `NotFound` (code `no-user`)."""
    found = users.by_login(db, login)
    if found is None:
        raise NotFound(
            f"there is no user {login[:100]!r}", code="no-user", remedy="`fairway user add LOGIN`"
        )
    return found
