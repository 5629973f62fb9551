"""Repositories: list, show, create, change, delete; hook secrets and signatures."""

from __future__ import annotations

import msgspec
from litestar import delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown
from fairway.api.services import Cursor, Limit, Services, Slug, Svc, Text, Who, here
from fairway.client.wire import repository as wire
from fairway.client.wire.common import Page
from fairway.model.build import Build
from fairway.model.errors import InvalidInput
from fairway.model.repository import Repository
from fairway.model.token import TokenScope
from fairway.source.remotes import Credentials, check_url
from fairway.source.repositories import RepositoryChange
from fairway.store import audit, organisations, repositories, views


def clone_url(services: Services, slug: str) -> str:
    """Where Git clones a repository from."""
    return f"{services.addresses.external_url}/{slug}.git"


def _listed(
    db: Connection, who: Identity, organisation: str, *, after: str, limit: int
) -> list[tuple[Repository, Build | None]]:
    number = None
    if organisation:
        named = organisations.by_name(db, organisation)
        if named is None:
            return []
        number = named.id
    found = repositories.listing(db, scope_of(who), organisation=number, after=after, limit=limit)
    last = views.last_builds(db, found)
    return [(one, last.get(one.id)) for one in found]


@get("/repos", summary="List repositories")
async def list_repositories(
    *, services: Svc, who: Who, organisation: Text = "", limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Repository]:
    """By name; only those that the asker may see."""
    guard.holds(who, TokenScope.REPO_READ)
    after = cursors.decode(cursor)
    found = await services.database.read(_listed, who, organisation, after=after, limit=limit)
    items = [
        shown.repository(one, clone_url=clone_url(services, one.slug), last=last)
        for one, last in found
    ]
    return cursors.page(items, limit, items[-1].slug if items else None)


def _one(db: Connection, who: Identity, slug: str) -> tuple[Repository, Build | None]:
    found = require(db, who, Action.READ_REPOSITORY, slug)
    return found, views.last_builds(db, [found]).get(found.id)


@get("/repos/{org:str}/{name:str}", summary="Show a repository")
async def show_repository(*, services: Svc, who: Who, slug: Slug) -> wire.Repository:
    """With its settings."""
    found, last = await services.database.read(_one, who, slug)
    return shown.repository(found, clone_url=clone_url(services, found.slug), last=last)


_CHANGES = (
    "default_branch", "visibility", "active", "trusted", "protected", "config_path", "timeout_s",
    "settings",
)  # fmt: skip


def change_of(data: wire.RepositoryCreate | wire.RepositoryChange) -> RepositoryChange:
    """The chapter's own form of a request. Raises `InvalidInput` with the field's path."""
    given = {name: getattr(data, name, UNSET) for name in _CHANGES}
    kept = {name: value for name, value in given.items() if value is not UNSET}
    try:
        return msgspec.convert(kept, RepositoryChange)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise InvalidInput(
            message.replace("`", "'"), code="bad-request", where="body" + path.rstrip("`")
        ) from error


async def _shown(services: Services, who: Identity, slug: str) -> wire.Repository:
    found, last = await services.database.read(_one, who, slug)
    return shown.repository(found, clone_url=clone_url(services, found.slug), last=last)


@post("/repos", summary="Create a repository")
async def create_repository(
    *, services: Svc, who: Who, data: JSONBody[wire.RepositoryCreate]
) -> wire.Repository:
    """Our own, or with `remote_url` one that lives elsewhere. A push creates one as well."""
    if data.remote_url:
        check_url(data.remote_url)
    await services.repositories.create(who, data.repository, change_of(data))
    if data.remote_url:
        given = _credentials(data.remote_user, data.remote_password)
        remotes = here(services.remotes, "repositories that live elsewhere")
        await remotes.set(who, data.repository, data.remote_url, given)
    return await _shown(services, who, data.repository)


def _credentials(user: str | UnsetType, password: str | UnsetType) -> Credentials | None:
    if not user and not password:
        return None
    return Credentials(user or "", password or "")


@patch("/repos/{org:str}/{name:str}", summary="Change a repository's settings")
async def change_repository(
    *, services: Svc, who: Who, slug: Slug, data: JSONBody[wire.RepositoryChange]
) -> wire.Repository:
    """What is not given stays. `trusted` is for admins."""
    change = change_of(data)
    if change != RepositoryChange():
        await services.repositories.change(who, slug, change)
    if data.remote_url is not UNSET:
        given = _credentials(data.remote_user, data.remote_password)
        remotes = here(services.remotes, "repositories that live elsewhere")
        await remotes.set(who, slug, data.remote_url, given)
    elif data.remote_user is not UNSET or data.remote_password is not UNSET:
        raise InvalidInput(
            "credentials come with 'remote_url'", code="bad-request", where="body.remote_url"
        )
    return await _shown(services, who, slug)


@delete("/repos/{org:str}/{name:str}", summary="Delete a repository")
async def delete_repository(*, services: Svc, who: Who, slug: Slug) -> None:
    """With its builds and secrets, for ever. Its images stay."""
    await services.repositories.delete(who, slug)


@post("/repos/{org:str}/{name:str}/hook-secret", summary="Make a new hook secret")
async def new_hook_secret(*, services: Svc, who: Who, slug: Slug) -> wire.HookSecret:
    """For a repository that lives elsewhere. It is shown this once; the former one ends."""
    remotes = here(services.remotes, "repositories that live elsewhere")
    value = await remotes.new_hook_secret(who, slug)
    return wire.HookSecret(
        url=f"{services.addresses.external_url}/hooks/{slug}", secret=value.reveal()
    )


@post("/repos/{org:str}/{name:str}/sign", summary="Sign a pipeline file", status_code=200)
async def sign_file(
    *, services: Svc, who: Who, slug: Slug, data: JSONBody[wire.SignRequest]
) -> wire.Signed:
    """For maintainers: builds of a protected repository run signed files without approval."""
    found = await services.access.require(who, Action.CONFIGURE_REPOSITORY, slug)
    signatures = here(services.signatures, "signatures")
    text, code = await signatures.sign(found.id, data.data)
    await services.database.write(
        audit.append, who.login, "repository.sign", f"repository/{slug}", after=code
    )
    return wire.Signed(data=text, hmac=code)


ROUTES = [
    list_repositories,
    show_repository,
    create_repository,
    change_repository,
    delete_repository,
    new_hook_secret,
    sign_file,
]
