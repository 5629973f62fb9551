"""Cron jobs of repositories."""

from __future__ import annotations

from litestar import delete, get, post, put
from litestar.params import JSONBody

from fairway.api import shown
from fairway.api.services import Slug, Svc, Who, Word, here
from fairway.client.wire import repository as wire
from fairway.client.wire.common import Done, Page
from fairway.model.cron import Missed
from fairway.model.errors import InvalidInput
from fairway.source.crons import CronChange

_PATH = "/repos/{org:str}/{name:str}/crons"


@get(_PATH, summary="List a repository's cron jobs")
async def list_crons(*, services: Svc, who: Who, slug: Slug) -> Page[wire.Cron]:
    """With their next minute."""
    found = await here(services.crons, "cron jobs").listing(who, slug)
    return Page(items=[shown.cron(one) for one in found])


@put(_PATH + "/{cron:str}", summary="Make or change a cron job")
async def put_cron(
    *, services: Svc, who: Who, slug: Slug, cron: Word, data: JSONBody[wire.CronSet]
) -> wire.Cron:
    """The exact minute, in a time zone. `missed` is once, skip or all."""
    change = CronChange(
        expression=data.expression,
        timezone=data.timezone,
        branch=data.branch,
        missed=_missed(data.missed),
        disabled=data.disabled,
    )
    return shown.cron(await here(services.crons, "cron jobs").put(who, slug, cron, change))


def _missed(word: str) -> Missed:
    if word not in set(Missed):
        raise InvalidInput(
            f"{word[:40]!r} is no policy for missed runs",
            code="bad-missed",
            where="body.missed",
            remedy="one of: " + ", ".join(Missed),
        )
    return Missed(word)


@delete(_PATH + "/{cron:str}", summary="Remove a cron job")
async def delete_cron(*, services: Svc, who: Who, slug: Slug, cron: Word) -> None:
    """Builds that it began stay."""
    await here(services.crons, "cron jobs").delete(who, slug, cron)


@post(_PATH + "/{cron:str}/run", summary="Run a cron job now", status_code=202)
async def run_cron(*, services: Svc, who: Who, slug: Slug, cron: Word) -> Done:
    """Whatever its minute."""
    await here(services.crons, "cron jobs").fire(who, slug, cron)
    return Done()


ROUTES = [list_crons, put_cron, delete_cron, run_cron]
