"""What begins a build, repeats it, or changes its course."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from litestar import Request, post
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.api import builds as shown_builds
from fairway.api.services import Number, Services, Slug, Svc, Who
from fairway.client.wire import build as wire
from fairway.model.build import Build, BuildEvent, Retry, RetryScope
from fairway.model.errors import Conflict, InvalidInput
from fairway.model.repository import Repository
from fairway.pipeline.triggers import PullRequest
from fairway.store import idempotency

_KEY: Final = re.compile(r"[!-~]{1,128}")
_BUILD: Final = "/repos/{org:str}/{name:str}/builds/{number:int}"


def _begin(db: Connection, who: Identity, slug: str, *, key: str, request: str) -> Repository:
    found = require(db, who, Action.WRITE_BUILD, slug)
    if key:
        before = idempotency.first(db, f"{who.user_id}:{key}", request)
        if before != request:
            raise Conflict(
                "this Idempotency-Key was used for another request",
                code="idempotency-key-used",
                remedy="make a new key for each request that differs",
            )
    return found


async def _allowed(
    services: Services, who: Identity, slug: str, request: Request[Any, Any, Any]
) -> tuple[Repository, str | None]:
    """The repository, and the key that makes this call's build once."""
    key = request.headers.get("idempotency-key", "")
    if key and not _KEY.fullmatch(key):
        raise InvalidInput(
            "an Idempotency-Key has 1 to 128 visible ASCII characters",
            code="bad-idempotency-key",
            where="header.Idempotency-Key",
        )
    said = f"{request.url.path}\n".encode() + await request.body()
    digest = hashlib.sha256(said).hexdigest()
    repository = await services.database.write(_begin, who, slug, key=key, request=digest)
    return repository, f"{who.user_id}/{key}" if key else None


async def _shown(services: Services, who: Identity, slug: str, build: Build) -> wire.Build:
    view = await services.database.read(shown_builds.view, who, slug, build.number)
    return shown_builds.whole(view)


@post("/repos/{org:str}/{name:str}/builds", summary="Start a build", status_code=201)
async def trigger_build(
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    request: Request[Any, Any, Any],
    data: JSONBody[wire.Trigger],
) -> wire.Build:
    """custom (a branch or commit), promote or rollback (of a build), or pull_request.

    With an `Idempotency-Key` the same call makes one build, however often it comes.
    """
    repository, key = await _allowed(services, who, slug, request)
    check_fields(data)
    made = await _make(services, repository.id, data, login=who.login, key=key)
    if made is None:
        raise Conflict(
            "nothing is built: the commit asks for none, or no pipeline is for this event",
            code="nothing-triggered",
            remedy="look at the file with `fairway compile`",
        )
    return await _shown(services, who, slug, made)


async def _make(
    services: Services, repository_id: int, data: wire.Trigger, *, login: str, key: str | None
) -> Build | None:
    """The build that an event makes; None when nothing is to be built."""
    if data.event == "custom":
        return await services.builds.custom(
            repository_id,
            ref=data.branch,
            commit=data.commit,
            params=data.params,
            actor=login,
            key=key,
            debug=data.debug,
        )
    if data.event == "pull_request":
        return await services.builds.pull_request(
            repository_id, _pull(data, login), actor=login, key=key
        )
    return await services.builds.promote(
        repository_id,
        data.build,
        target=data.target,
        actor=login,
        event=BuildEvent(data.event),
        params=data.params,
        key=key,
    )


_FIELDS: Final = {
    "custom": {"branch", "commit", "params", "debug"},
    "promote": {"build", "target", "params"},
    "rollback": {"build", "target", "params"},
    "pull_request": {
        "number", "commit", "source", "target", "title", "action", "source_repository", "params",
    },
}  # fmt: skip
_NEEDED: Final = {
    "custom": (),
    "promote": ("build", "target"),
    "rollback": ("build", "target"),
    "pull_request": ("number", "commit", "source", "target"),
}


def check_fields(data: wire.Trigger) -> None:
    """Refuse what the event does not take, and what it lacks. Raises `InvalidInput`."""
    blank = wire.Trigger(event=data.event)
    for name in data.__struct_fields__:
        given = getattr(data, name) != getattr(blank, name)
        if given and name not in _FIELDS[data.event]:
            raise InvalidInput(
                f"{name!r} does not go with the event {data.event}",
                code="bad-request",
                where=f"body.{name}",
                remedy=f"{data.event} takes {', '.join(sorted(_FIELDS[data.event]))}",
            )
    for name in _NEEDED[data.event]:
        if not getattr(data, name):
            raise InvalidInput(
                f"the event {data.event} needs {name!r}", code="bad-request", where=f"body.{name}"
            )


def _pull(data: wire.Trigger, login: str) -> PullRequest:
    return PullRequest(
        number=data.number,
        sha=data.commit,
        source=data.source,
        target=data.target,
        title=data.title,
        action=data.action or "opened",
        source_repo=data.source_repository,
        author_login=login,
        params=data.params,
    )


@post(_BUILD + "/retry", summary="Run a build again", status_code=201)
async def retry_build(
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    number: Number,
    request: Request[Any, Any, Any],
    data: JSONBody[wire.RetryRequest],
) -> wire.Build:
    """All of it, what failed, or one step alone or with its dependants."""
    repository, key = await _allowed(services, who, slug, request)
    made = await services.builds.retry(
        repository.id, number, retry=_retry(data), actor=who.login, key=key
    )
    return await _shown(services, who, slug, made)


def _retry(data: wire.RetryRequest) -> Retry:
    if data.step and data.failed:
        raise InvalidInput("'step' and 'failed' exclude each other", where="body.step")
    if data.with_dependents and not data.step:
        raise InvalidInput("'with_dependents' goes with 'step'", where="body.with_dependents")
    scope = RetryScope.ALL
    if data.step:
        scope = RetryScope.STEP
    elif data.failed:
        scope = RetryScope.FAILED
    return Retry(scope=scope, stage=data.stage, step=data.step, descendants=data.with_dependents)


@post(_BUILD + "/cancel", summary="Stop a build", status_code=200)
async def cancel_build(
    *, services: Svc, who: Who, slug: Slug, number: Number, data: JSONBody[wire.Reason]
) -> wire.Build:
    """What runs is ended within a second."""
    found = await services.access.require(who, Action.WRITE_BUILD, slug)
    why = f"cancelled by {who.login}: {data.reason}" if data.reason else ""
    done = await services.builds.cancel(found.id, number, actor=who.login, why=why)
    return await _shown(services, who, slug, done)


@post(_BUILD + "/approve", summary="Let a blocked build run", status_code=200)
async def approve_build(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Build:
    """For maintainers."""
    return await _decide(services, who, slug, number, approved=True)


@post(_BUILD + "/decline", summary="Refuse a blocked build", status_code=200)
async def decline_build(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Build:
    """For maintainers."""
    return await _decide(services, who, slug, number, approved=False)


async def _decide(
    services: Services, who: Identity, slug: str, number: int, *, approved: bool
) -> wire.Build:
    found = await services.access.require(who, Action.APPROVE_BUILD, slug)
    done = await services.builds.decide(found.id, number, actor=who.login, approved=approved)
    return await _shown(services, who, slug, done)


ROUTES = [trigger_build, retry_build, cancel_build, approve_build, decline_build]
