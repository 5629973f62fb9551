"""Who has which role, in an organisation or in one repository."""

from __future__ import annotations

from litestar import delete, get, put
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access.authorise import Action, require, require_organisation
from fairway.access.identity import Identity
from fairway.api import shown
from fairway.api.services import Slug, Svc, Who, Word
from fairway.client.wire import who as wire
from fairway.client.wire.common import Page
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.role import Grant, Role
from fairway.model.token import TokenScope
from fairway.store import audit, organisations, roles, users

_ORG = "/orgs/{org:str}/roles"
_REPO = "/repos/{org:str}/{name:str}/roles"


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


def _listing(db: Connection, who: Identity, place: str) -> list[Grant]:
    return roles.listing(db, **_place(db, who, place))


def _user(db: Connection, login: str) -> int:
    found = users.by_login(db, login)
    if found is None:
        raise NotFound(
            f"there is no user {login[:100]!r}", code="no-user", remedy="`fairway user add LOGIN`"
        )
    return found.id


def _grant(db: Connection, who: Identity, place: str, *, login: str, role: Role) -> Grant:
    where = _place(db, who, place)
    user = _user(db, login)
    before = roles.held(db, user, **where)
    roles.grant(db, user, role, **where)
    audit.append(db, who.login, "role.grant", f"{place}/{login}", before=before, after=role)
    return next(one for one in roles.listing(db, **where) if one.user == user)


def _revoke(db: Connection, who: Identity, place: str, *, login: str) -> None:
    where = _place(db, who, place)
    user = _user(db, login)
    before = roles.held(db, user, **where)
    if not roles.revoke(db, user, **where):
        raise NotFound(f"{login} has no role of its own in {place}", code="no-role")
    audit.append(db, who.login, "role.revoke", f"{place}/{login}", before=before)


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise InvalidInput(
            f"{word[:40]!r} is no role",
            code="bad-role",
            where="body.role",
            remedy="one of: " + ", ".join(Role),
        ) from None


@get(_ORG, summary="List an organisation's roles")
async def list_organisation_roles(*, services: Svc, who: Who, org: Word) -> Page[wire.Grant]:
    """They count in all its repositories. For its admins."""
    return Page(items=list(map(shown.grant, await services.database.read(_listing, who, org))))


@put(_ORG + "/{login:str}", summary="Give a role in an organisation")
async def grant_organisation_role(
    *, services: Svc, who: Who, org: Word, login: Word, data: JSONBody[wire.RoleSet]
) -> wire.Grant:
    """In place of the one held there. For its admins."""
    role = _role(data.role)
    return shown.grant(await services.database.write(_grant, who, org, login=login, role=role))


@delete(_ORG + "/{login:str}", summary="Take a role in an organisation away")
async def revoke_organisation_role(*, services: Svc, who: Who, org: Word, login: Word) -> None:
    """Roles in single repositories stay. For its admins."""
    await services.database.write(_revoke, who, org, login=login)


@get(_REPO, summary="List a repository's own roles")
async def list_repository_roles(*, services: Svc, who: Who, slug: Slug) -> Page[wire.Grant]:
    """Besides those of its organisation. For its admins."""
    return Page(items=list(map(shown.grant, await services.database.read(_listing, who, slug))))


@put(_REPO + "/{login:str}", summary="Give a role in a repository")
async def grant_repository_role(
    *, services: Svc, who: Who, slug: Slug, login: Word, data: JSONBody[wire.RoleSet]
) -> wire.Grant:
    """In place of the one held there. For its admins."""
    role = _role(data.role)
    return shown.grant(await services.database.write(_grant, who, slug, login=login, role=role))


@delete(_REPO + "/{login:str}", summary="Take a role in a repository away")
async def revoke_repository_role(*, services: Svc, who: Who, slug: Slug, login: Word) -> None:
    """One in its organisation stays. For its admins."""
    await services.database.write(_revoke, who, slug, login=login)


ROUTES = [
    list_organisation_roles,
    grant_organisation_role,
    revoke_organisation_role,
    list_repository_roles,
    grant_repository_role,
    revoke_repository_role,
]
