"""Logs of steps: ranges by line or byte, search, and live with the whole build."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import QueryParameter
from litestar.types import ASGIApp
from sqlalchemy import Connection

from fairway.access.authorise import Action
from fairway.access.identity import Identity
from fairway.api import builds, guard
from fairway.api.live import Live, Wanted, read_places
from fairway.api.services import Count, Flag, Number, Services, Slug, Svc, Text, Who
from fairway.api.streams import stream
from fairway.client.wire import build as wire
from fairway.client.wire.common import Page
from fairway.model.errors import NotFound
from fairway.model.step import Log, Step
from fairway.store import stages, steps, views

MOST_BYTES: Final = 8 << 20  # in one answer
_MOST_LINES: Final = 50_000
Lines = Annotated[int, QueryParameter(ge=1, le=_MOST_LINES)]


def _step(db: Connection, who: Identity, slug: str, place: tuple[int, int, int]) -> Step:
    number, stage_number, step_number = place
    _repository, build = guard.build_at(db, who, Action.READ_BUILD, slug=slug, number=number)
    for stage in stages.of_build(db, build.id):
        if stage.number == stage_number:
            return steps.at(db, stage.id, step_number)
    raise NotFound(f"{slug}#{number} has no pipeline {stage_number}", code="stage-not-found")


async def _log(services: Services, found: Step, attempt: int) -> Log | None:
    """What is kept; None while nothing is."""
    try:
        return await services.logs.about(found.id, attempt or found.attempt)
    except NotFound as error:
        if error.code == "log-removed" or attempt:
            raise
        return None


async def _bytes(services: Services, log: Log, start: int, end: int) -> bytes:
    parts = services.logs.read(log.step, log.attempt, start=start, end=end)
    return b"".join([part async for part in parts])


LOG = "/repos/{org:str}/{name:str}/builds/{number:int}/logs/{stage:int}/{step:int}"


@get(LOG, summary="Lines of a step's log")
async def log_lines(  # noqa: PLR0913 a place in a log has many parts
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    number: Number,
    stage: Number,
    step: Number,
    attempt: Count = 0,
    first: Count = 1,
    lines: Lines = 1000,
) -> wire.LogLines:
    """Lines count from 1. An answer holds at most 8 MiB: go on at the line after its last."""
    found = await services.database.read(_step, who, slug, (number, stage, step))
    log = await _log(services, found, attempt)
    if log is None:
        return _nothing(found)
    start = await services.logs.offset_of(log.step, log.attempt, max(first, 1) - 1)
    stop = await services.logs.offset_of(log.step, log.attempt, max(first, 1) - 1 + lines)
    data = await _bytes(services, log, start, min(stop, start + MOST_BYTES))
    if start + len(data) < stop and b"\n" in data:
        data = data[: data.rindex(b"\n") + 1]
    texts = data.decode("utf-8", "replace").split("\n")
    if texts[-1] == "":
        texts.pop()
    return wire.LogLines(
        first=max(first, 1),
        lines=texts,
        offset=start,
        end=start + len(data),
        total_lines=log.lines,
        total_bytes=log.size,
        done=log.done,
        truncated=log.truncated,
    )


def _nothing(found: Step) -> wire.LogLines:
    return wire.LogLines(
        first=1, lines=[], offset=0, end=0, total_lines=0, total_bytes=0, done=found.status.done
    )


@get(LOG + "/raw", summary="Bytes of a step's log")
async def log_bytes(  # noqa: PLR0913 a place in a log has many parts
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    number: Number,
    stage: Number,
    step: Number,
    attempt: Count = 0,
    start: Count = 0,
    end: Count = 0,
) -> Response[bytes]:
    """As they were written, colours and all; at most 8 MiB from `start` on.

    `X-Log-Size` is the whole log's size, `X-Log-Done` whether it will grow no more.
    """
    found = await services.database.read(_step, who, slug, (number, stage, step))
    log = await _log(services, found, attempt)
    size = log.size if log else 0
    stop = min(end or size, size, start + MOST_BYTES)
    data = await _bytes(services, log, start, stop) if log and start < stop else b""
    done = log.done if log else found.status.done
    return Response(
        data,
        media_type="text/plain; charset=utf-8",
        headers={"X-Log-Size": str(size), "X-Log-Done": "true" if done else "false"},
    )


@get(
    "/repos/{org:str}/{name:str}/builds/{number:int}/search",
    summary="Lines of a build's logs that hold a text",
)
async def search_logs(  # noqa: PLR0913 the filters of one search
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    number: Number,
    text: Annotated[str, QueryParameter(min_length=1, max_length=1000)],
    stage: Text = "",
    step: Text = "",
    exact: Flag = False,
    limit: Lines = 200,
) -> Page[wire.LogHit]:
    """In the order of steps and lines. `stage` and `step` by name or number."""
    seen = await services.database.read(builds.view, who, slug, number)
    view, found = seen.found, builds.whole(seen)
    wanted = Wanted(stage=stage, step=step)
    hits: list[wire.LogHit] = []
    for row, shown in zip(view.stages, found.stages, strict=True):
        for one, shown_step in zip(view.steps.get(row.id, []), shown.steps, strict=True):
            if wanted.has(shown, shown_step) and _kept(view, one):
                hits += await _hits(
                    services, one, shown, exact=exact, text=text, limit=limit - len(hits)
                )
            if len(hits) >= limit:
                return Page(items=hits)
    return Page(items=hits)


def _kept(view: views.BuildView, one: Step) -> bool:
    log = view.logs.get(one.id)
    return log is not None and not log.removed


async def _hits(
    services: Services, one: Step, shown: wire.Stage, *, text: str, exact: bool, limit: int
) -> list[wire.LogHit]:
    found = await services.logs.search(one.id, one.attempt, text, exact_case=exact, limit=limit)
    return [
        wire.LogHit(
            stage=shown.number, step=one.number, name=one.name, line=hit.line + 1, text=hit.text
        )
        for hit in found
    ]


@get(
    "/repos/{org:str}/{name:str}/builds/{number:int}/stream",
    summary="A build live",
    media_type="text/event-stream",
)
async def build_stream(
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    number: Number,
    request: Request[Any, Any, Any],
    logs: Flag = True,
    stage: Text = "",
    step: Text = "",
) -> ASGIApp:
    """Messages `build` whenever it changes, `log` as its logs grow, `end` when all is sent.

    Resume with `Last-Event-ID`: nothing is lost or repeated.
    """
    await services.database.read(builds.view, who, slug, number)
    places = read_places(request.headers.get("last-event-id", ""))

    async def look() -> builds.View:
        return await services.database.read(builds.view, who, slug, number)

    wanted = Wanted(logs=logs, stage=stage, step=step)
    live = Live(look, services.logs, services.hub, wanted=wanted, places=places)
    return stream(live.run)


ROUTES = [log_lines, log_bytes, search_logs, build_stream]
