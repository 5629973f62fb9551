"""Runners: who they are and what they do, and `Dispatch` for those on other machines."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import HeaderParameter, JSONBody
from sqlalchemy import Connection

from fairway.access.authorise import require_admin, require_runner
from fairway.access.identity import Identity
from fairway.api import guard, shown
from fairway.api.services import Count, Number, Svc, Who, Word
from fairway.client.wire import system as wire
from fairway.client.wire.common import Done, Page
from fairway.client.wire.common import Request as Strict
from fairway.model.errors import NotFound
from fairway.model.runner import RunnerFacts
from fairway.model.token import TokenScope
from fairway.pipeline.dispatch import Orders, Runner, StageReport, StepReport
from fairway.store import audit, runners, views

# Shorter than a lease lasts after its last renewal (6 s at least): a question that a runner left
# open when it died must not be answered with the very stage that it lost.
LONGEST_WAIT_S: Final = 5.0
LOG_BODY: Final = 16 << 20
REPORT_BODY: Final = 64 << 20
LeaseToken = Annotated[str, HeaderParameter(name="X-Lease-Token", max_length=200)]
_STAGE: Final = "/dispatch/stages/{stage:int}"


def _all(db: Connection) -> tuple[list[RunnerFacts], dict[str, int]]:
    return runners.listing(db), views.busy(db)


@get("/runners", summary="List runners")
async def list_runners(*, services: Svc, who: Who) -> Page[wire.Runner]:
    """With what they carry out now."""
    guard.signed_in(who)
    guard.holds(who, TokenScope.BUILD_READ)
    found, busy = await services.database.read(_all)
    return Page(items=[shown.runner(one, busy.get(one.name, 0)) for one in found])


def _pause(db: Connection, who: Identity, name: str, *, paused: bool) -> None:
    if not runners.pause(db, name, paused=paused):
        raise _unknown(name)
    audit.append(db, who.login, "runner.pause" if paused else "runner.resume", f"runner/{name}")


def _forget(db: Connection, who: Identity, name: str) -> None:
    if not runners.forget(db, name):
        raise _unknown(name)
    audit.append(db, who.login, "runner.forget", f"runner/{name}")


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no runner {name[:100]!r}", code="runner-not-found")


@post("/runners/{runner:str}/pause", summary="Let a runner take no more work", status_code=200)
async def pause_runner(*, services: Svc, who: Who, runner: Word) -> Done:
    """What it has goes on. For admins."""
    require_admin(who)
    await services.database.write(_pause, who, runner, paused=True)
    return Done()


@post("/runners/{runner:str}/resume", summary="Let a runner take work again", status_code=200)
async def resume_runner(*, services: Svc, who: Who, runner: Word) -> Done:
    """For admins."""
    require_admin(who)
    await services.database.write(_pause, who, runner, paused=False)
    return Done()


@delete("/runners/{runner:str}", summary="Forget a runner")
async def forget_runner(*, services: Svc, who: Who, runner: Word) -> None:
    """One that asks for work again is known again. For admins."""
    require_admin(who)
    await services.database.write(_forget, who, runner)


# ---- Dispatch: the same contract over HTTPS -----------------------------------------------


class LeaseRequest(Strict):
    """A runner asks for work."""

    runner: Runner
    wait_s: float = 30.0


class Kept(msgspec.Struct):
    """How far a log is kept."""

    end: int


def _json(what: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(what), media_type="application/json")


@post("/dispatch/lease", summary="Lease the next stage", status_code=200, include_in_schema=False)
async def lease_stage(*, services: Svc, who: Who, data: JSONBody[LeaseRequest]) -> Response[bytes]:
    """A stage with all that it needs, or 204 after at most `wait_s`."""
    require_runner(who)
    wait_s = max(0.0, min(data.wait_s, LONGEST_WAIT_S))
    found = await services.dispatch.lease(data.runner, wait_s=wait_s)
    if found is None:
        return Response(b"", status_code=204)
    return _json(found)


@post(_STAGE + "/renew", summary="Renew a lease", status_code=200, include_in_schema=False)
async def renew_lease(*, services: Svc, who: Who, stage: Number, lease_token: LeaseToken) -> Orders:
    """What is wanted of the holder now."""
    require_runner(who)
    return await services.dispatch.renew(stage, lease_token)


@post(
    _STAGE + "/steps",
    summary="Report a step",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=REPORT_BODY,
)
async def report_step(
    *,
    services: Svc,
    who: Who,
    stage: Number,
    lease_token: LeaseToken,
    data: JSONBody[StepReport],
) -> Orders:
    """Its start or its end."""
    require_runner(who)
    return await services.dispatch.step(stage, lease_token, data)


@post(
    _STAGE + "/logs/{step:int}",
    summary="Append to a log",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=LOG_BODY,
)
async def append_log(  # noqa: PLR0913 the place of some bytes
    *,
    services: Svc,
    who: Who,
    stage: Number,
    step: Number,
    lease_token: LeaseToken,
    request: Request[Any, Any, Any],
    attempt: Count,
    offset: Count,
    raw: Count,
) -> Kept:
    """The body is the bytes."""
    require_runner(who)
    end = await services.dispatch.append(
        stage,
        lease_token,
        step,
        attempt=attempt,
        offset=offset,
        raw=raw,
        data=await request.body(),
    )
    return Kept(end)


@post(
    _STAGE + "/logs/{step:int}/end", summary="End a log", status_code=200, include_in_schema=False
)
async def end_log(
    *,
    services: Svc,
    who: Who,
    stage: Number,
    step: Number,
    lease_token: LeaseToken,
    attempt: Count,
) -> Done:
    """It is whole."""
    require_runner(who)
    await services.dispatch.end_log(stage, lease_token, step, attempt=attempt)
    return Done()


@post(_STAGE + "/finish", summary="End a stage", status_code=200, include_in_schema=False)
async def finish_stage(
    *,
    services: Svc,
    who: Who,
    stage: Number,
    lease_token: LeaseToken,
    data: JSONBody[StageReport],
) -> Done:
    """The holder's last word."""
    require_runner(who)
    await services.dispatch.finish(stage, lease_token, data)
    return Done()


ROUTES = [
    list_runners,
    pause_runner,
    resume_runner,
    forget_runner,
    lease_stage,
    renew_lease,
    report_step,
    append_log,
    end_log,
    finish_stage,
]
