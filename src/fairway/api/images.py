"""Images that builds made: by name, commit, build or digest, and whether they are candidates."""

from __future__ import annotations

from litestar import get
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown
from fairway.api.services import Count, Cursor, Flag, Limit, Svc, Text, Who
from fairway.client.wire import system as wire
from fairway.client.wire.common import Page
from fairway.model.built import MadeView
from fairway.model.errors import InvalidInput
from fairway.model.token import TokenScope
from fairway.store import images


class Filters:
    """Which images are asked for."""

    def __init__(self, **given: object) -> None:
        self.given = given

    def read(
        self, db: Connection, who: Identity, repository: str, *, before: int | None, limit: int
    ) -> list[MadeView]:
        """One page."""
        number = require(db, who, Action.READ_BUILD, repository).id if repository else None
        return images.page(
            db,
            scope_of(who),
            repository_id=number,
            before_id=before,
            limit=limit,
            **self.given,  # type: ignore[arg-type]
        )


@get("/images", summary="List images")
async def list_images(  # noqa: PLR0913 the filters of one list
    *,
    services: Svc,
    who: Who,
    repository: Text = "",
    name: Text = "",
    commit: Text = "",
    digest: Text = "",
    build: Count = 0,
    candidates: Flag = False,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Image]:
    """Newest first. `build` goes with `repository`; `name` is the one in our registry."""
    guard.holds(who, TokenScope.BUILD_READ)
    if build and not repository:
        raise InvalidInput(
            "'build' needs 'repository'", code="bad-request", where="query.repository"
        )
    filters = Filters(
        name=name, commit=commit, digest=digest, candidates=candidates, build_number=build or None
    )
    before = cursors.decode_int(cursor)
    found = await services.database.read(filters.read, who, repository, before=before, limit=limit)
    host = services.addresses.registry
    items = [shown.image(one, host) for one in found]
    return cursors.page(items, limit, found[-1].made.id if found else None)


ROUTES = [list_images]
