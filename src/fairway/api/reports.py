"""Reports: tests, failures, slowest, and coverage with its change against the target branch."""

from __future__ import annotations

from litestar import get
from sqlalchemy import Connection

from fairway.access.authorise import Action
from fairway.access.identity import Identity
from fairway.api import guard, shown
from fairway.api.services import Number, Slug, Svc, Who
from fairway.client.wire import build as wire
from fairway.model.build import Build
from fairway.model.report import Report
from fairway.store import views


def _found(
    db: Connection, who: Identity, slug: str, number: int
) -> tuple[list[tuple[Report, str, str]], Build | None, list[tuple[Report, str, str]]]:
    repository, build = guard.build_at(db, who, Action.READ_BUILD, slug=slug, number=number)
    mine = views.reports_of(db, build)
    branch = build.target or repository.default_branch
    before = views.last_measured(db, repository.id, branch=branch, before=build.id)
    return mine, before, views.reports_of(db, before) if before else []


@get(
    "/repos/{org:str}/{name:str}/builds/{number:int}/reports",
    summary="Tests and coverage of a build",
)
async def show_reports(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Reports:
    """Coverage is compared with the last passed push build of the target branch."""
    mine, before, theirs = await services.database.read(_found, who, slug, number)
    totals = None
    if before is not None:
        covered = sum(one.lines_covered for one, _stage, _step in theirs)
        totals = covered, sum(one.lines_total for one, _stage, _step in theirs)
    return shown.reports(mine, before=totals, compared_with=before.number if before else 0)


ROUTES = [show_reports]
