"""Repositories: list and show."""

from __future__ import annotations

from litestar import get
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown
from fairway.api.services import Cursor, Limit, Services, Slug, Svc, Text, Who
from fairway.client.wire import repository as wire
from fairway.client.wire.common import Page
from fairway.model.build import Build
from fairway.model.repository import Repository
from fairway.model.token import TokenScope
from fairway.store import organisations, repositories, views


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


ROUTES = [list_repositories, show_repository]
