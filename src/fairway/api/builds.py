"""Builds: list and show."""

from __future__ import annotations

from litestar import get
from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown
from fairway.api.services import Cursor, Limit, Number, Slug, Svc, Text, Who
from fairway.client.wire import build as wire
from fairway.client.wire.common import Page
from fairway.model.build import Build
from fairway.model.errors import InvalidInput
from fairway.model.status import Status
from fairway.model.token import TokenScope
from fairway.pipeline.waiting import Reasons, explain
from fairway.store import builds, views


class Filters:
    """Which builds are asked for."""

    def __init__(self, *, repository: str, status: str, event: str, ref: str, commit: str) -> None:
        self.repository, self.event, self.ref, self.commit = repository, event, ref, commit
        self.statuses = [_status(word) for word in status.split(",") if word]


def _status(word: str) -> str:
    if word not in set(Status):
        raise InvalidInput(
            f"{word[:40]!r} is no status",
            code="bad-status",
            where="query.status",
            remedy="one or more, with commas, of: " + ", ".join(Status),
        )
    return word


def _listed(
    db: Connection, who: Identity, filters: Filters, *, before: int | None, limit: int
) -> list[tuple[Build, str]]:
    number = None
    if filters.repository:
        number = require(db, who, Action.READ_BUILD, filters.repository).id
    return builds.page(
        db,
        scope_of(who),
        repository_id=number,
        statuses=filters.statuses,
        event=filters.event,
        ref=filters.ref,
        after=filters.commit,
        before_id=before,
        limit=limit,
    )


@get("/builds", summary="List builds")
async def list_builds(  # noqa: PLR0913 the filters of one list
    *,
    services: Svc,
    who: Who,
    repository: Text = "",
    status: Text = "",
    event: Text = "",
    branch: Text = "",
    ref: Text = "",
    commit: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Build]:
    """Newest first. `status` takes several with commas; `ref` is a whole ref."""
    guard.holds(who, TokenScope.BUILD_READ)
    wanted = ref or (f"refs/heads/{branch}" if branch else "")
    filters = Filters(repository=repository, status=status, event=event, ref=wanted, commit=commit)
    before = cursors.decode_int(cursor)
    found = await services.database.read(_listed, who, filters, before=before, limit=limit)
    items = [shown.build(one, slug) for one, slug in found]
    return cursors.page(items, limit, found[-1][0].id if found else None)


class View(Struct, frozen=True):
    """A build with all of it, and why its stages and steps wait."""

    found: views.BuildView
    reasons: Reasons


def view(db: Connection, who: Identity, slug: str, number: int) -> View:
    """A build with all of it, for who may see it."""
    found, build = guard.build_at(db, who, Action.READ_BUILD, slug=slug, number=number)
    return View(views.build_view(db, build, found.slug), explain(db, build))


def whole(view: View) -> wire.Build:
    """A build with its stages and steps as the wire shows them."""
    found, why = view.found, view.reasons
    stages = [
        shown.stage(
            stage,
            [
                shown.step(one, found.logs.get(one.id), why.steps.get(one.id, ""))
                for one in found.steps.get(stage.id, [])
            ],
            why.stages.get(stage.id, ""),
        )
        for stage in found.stages
    ]
    return shown.build(found.build, found.slug, stages)


@get("/repos/{org:str}/{name:str}/builds/{number:int}", summary="Show a build")
async def show_build(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Build:
    """With its stages and steps, and why each waits."""
    found = await services.database.read(view, who, slug, number)
    return whole(found)


ROUTES = [list_builds, show_build]
