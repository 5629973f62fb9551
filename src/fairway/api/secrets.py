"""Secrets of repositories, organisations and of all: written, listed by name, removed."""

from __future__ import annotations

from typing import Any

from litestar import delete, get, put
from litestar.params import JSONBody

from fairway.access.authorise import Action, require_admin, require_organisation
from fairway.access.identity import Identity
from fairway.api import shown
from fairway.api.services import Services, Slug, Svc, Who, Word
from fairway.client.wire import who as wire
from fairway.client.wire.common import Page
from fairway.kit.secret import Secret
from fairway.model.errors import NotFound
from fairway.model.role import Role
from fairway.model.secret import Binding, SecretFacts
from fairway.model.token import TokenScope
from fairway.store import organisations

_REPO = "/repos/{org:str}/{name:str}/secrets"
_ORG = "/orgs/{org:str}/secrets"


async def _organisation(services: Services, who: Identity, name: str) -> int:
    """The organisation whose maintainer asks."""
    found = await services.database.read(organisations.by_name, name)
    await services.database.read(
        require_organisation,
        who,
        found.id if found else None,
        least=Role.MAINTAINER,
        scope=TokenScope.SECRET_WRITE,
    )
    if found is None:
        raise NotFound(f"there is no organisation {name[:100]!r}", code="no-organisation")
    return found.id


def _page(found: list[SecretFacts], scope: str) -> Page[wire.Secret]:
    return Page(items=[shown.secret(one, scope) for one in found])


async def _put(
    services: Services, who: Identity, name: str, data: wire.SecretSet, **place: Any
) -> SecretFacts:
    binding = Binding(
        pull_request=data.pull_request,
        pull_request_push=data.pull_request_push,
        events=data.events,
        branches=data.branches,
        images=data.images,
        environments=data.environments,
    )
    return await services.secrets.put(
        name, Secret(data.value), binding=binding, actor=who.login, **place
    )


@get(_REPO, summary="List a repository's secrets")
async def list_secrets(*, services: Svc, who: Who, slug: Slug) -> Page[wire.Secret]:
    """Names and bindings; a value is never shown."""
    found = await services.access.require(who, Action.READ_SECRET, slug)
    return _page(await services.secrets.listing(repository_id=found.id), slug)


@put(_REPO + "/{secret:str}", summary="Set a repository's secret")
async def put_secret(
    *, services: Svc, who: Who, slug: Slug, secret: Word, data: JSONBody[wire.SecretSet]
) -> wire.Secret:
    """In place of the one of that name."""
    found = await services.access.require(who, Action.WRITE_SECRET, slug)
    return shown.secret(await _put(services, who, secret, data, repository_id=found.id), slug)


@delete(_REPO + "/{secret:str}", summary="Remove a repository's secret")
async def delete_secret(*, services: Svc, who: Who, slug: Slug, secret: Word) -> None:
    """For ever."""
    found = await services.access.require(who, Action.WRITE_SECRET, slug)
    await services.secrets.remove(secret, repository_id=found.id, actor=who.login)


@get(_ORG, summary="List an organisation's secrets")
async def list_organisation_secrets(*, services: Svc, who: Who, org: Word) -> Page[wire.Secret]:
    """For its maintainers."""
    number = await _organisation(services, who, org)
    return _page(await services.secrets.listing(organisation=number), org)


@put(_ORG + "/{secret:str}", summary="Set an organisation's secret")
async def put_organisation_secret(
    *, services: Svc, who: Who, org: Word, secret: Word, data: JSONBody[wire.SecretSet]
) -> wire.Secret:
    """All its repositories may use it, within its bindings."""
    number = await _organisation(services, who, org)
    return shown.secret(await _put(services, who, secret, data, organisation=number), org)


@delete(_ORG + "/{secret:str}", summary="Remove an organisation's secret")
async def delete_organisation_secret(*, services: Svc, who: Who, org: Word, secret: Word) -> None:
    """For ever."""
    number = await _organisation(services, who, org)
    await services.secrets.remove(secret, organisation=number, actor=who.login)


@get("/secrets", summary="List the global secrets")
async def list_global_secrets(*, services: Svc, who: Who) -> Page[wire.Secret]:
    """For admins."""
    require_admin(who)
    return _page(await services.secrets.listing(), "")


@put("/secrets/{secret:str}", summary="Set a global secret")
async def put_global_secret(
    *, services: Svc, who: Who, secret: Word, data: JSONBody[wire.SecretSet]
) -> wire.Secret:
    """Every repository may use it, within its bindings."""
    require_admin(who)
    return shown.secret(await _put(services, who, secret, data), "")


@delete("/secrets/{secret:str}", summary="Remove a global secret")
async def delete_global_secret(*, services: Svc, who: Who, secret: Word) -> None:
    """For ever."""
    require_admin(who)
    await services.secrets.remove(secret, actor=who.login)


ROUTES = [
    list_secrets,
    put_secret,
    delete_secret,
    list_organisation_secrets,
    put_organisation_secret,
    delete_organisation_secret,
    list_global_secrets,
    put_global_secret,
    delete_global_secret,
]
