"""Who has which role, in an organisation or in one repository."""

from __future__ import annotations

from litestar import delete, get, put
from litestar.params import JSONBody

from fairway.access import giving
from fairway.api import shown
from fairway.api.services import Slug, Svc, Who, Word
from fairway.client.wire import who as wire
from fairway.client.wire.common import Page
from fairway.model.errors import InvalidInput
from fairway.model.role import Role

_ORG = "/orgs/{org:str}/roles"
_REPO = "/repos/{org:str}/{name:str}/roles"


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
    return Page(
        items=list(map(shown.grant, await services.database.read(giving.listing, who, org)))
    )


@put(_ORG + "/{login:str}", summary="Give a role in an organisation")
async def grant_organisation_role(
    *, services: Svc, who: Who, org: Word, login: Word, data: JSONBody[wire.RoleSet]
) -> wire.Grant:
    """In place of the one held there. For its admins."""
    role = _role(data.role)
    return shown.grant(
        await services.database.write(giving.grant, who, org, login=login, role=role)
    )


@delete(_ORG + "/{login:str}", summary="Take a role in an organisation away")
async def revoke_organisation_role(*, services: Svc, who: Who, org: Word, login: Word) -> None:
    """Roles in single repositories stay. For its admins."""
    await services.database.write(giving.revoke, who, org, login=login)


@get(_REPO, summary="List a repository's own roles")
async def list_repository_roles(*, services: Svc, who: Who, slug: Slug) -> Page[wire.Grant]:
    """Besides those of its organisation. For its admins."""
    return Page(
        items=list(map(shown.grant, await services.database.read(giving.listing, who, slug)))
    )


@put(_REPO + "/{login:str}", summary="Give a role in a repository")
async def grant_repository_role(
    *, services: Svc, who: Who, slug: Slug, login: Word, data: JSONBody[wire.RoleSet]
) -> wire.Grant:
    """In place of the one held there. For its admins."""
    role = _role(data.role)
    return shown.grant(
        await services.database.write(giving.grant, who, slug, login=login, role=role)
    )


@delete(_REPO + "/{login:str}", summary="Take a role in a repository away")
async def revoke_repository_role(*, services: Svc, who: Who, slug: Slug, login: Word) -> None:
    """One in its organisation stays. For its admins."""
    await services.database.write(giving.revoke, who, slug, login=login)


ROUTES = [
    list_organisation_roles,
    grant_organisation_role,
    revoke_organisation_role,
    list_repository_roles,
    grant_repository_role,
    revoke_repository_role,
]
