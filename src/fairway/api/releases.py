"""Releases, environments, promotions, approvals and the way back."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import structs
from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown_releases
from fairway.api.services import Cursor, Limit, Number, Svc, Text, Who, Word, here
from fairway.client.wire import release as wire
from fairway.client.wire.common import Page
from fairway.model.errors import InvalidInput
from fairway.model.release import Promotion, PromotionState, Verdict
from fairway.release import asking, commands, deliveries, recreating, showing
from fairway.store import promotions, releases

_KINDS = ("approval", "qa")
Days = Annotated[int, QueryParameter(ge=1, le=3650)]


@get("/releases", summary="List releases")
async def list_releases(
    *,
    services: Svc,
    who: Who,
    delivery: Text = "",
    service: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Release]:
    """Of repositories that you may see, newest first."""
    guard.signed_in(who)
    before = cursors.decode_int(cursor)
    found = await services.database.read(
        releases.page,
        scope_of(who),
        delivery=delivery,
        service=service,
        before_id=before,
        limit=limit,
    )
    items = [shown_releases.release(one) for one in found]
    return cursors.page(items, limit, found[-1].id if found else None)


@get("/releases/{number:int}", summary="One release")
async def show_release(*, services: Svc, who: Who, number: Number) -> wire.Release:
    """With the commits that it brings."""
    guard.signed_in(who)
    found = await services.database.read(showing.release, scope_of(who), number)
    return shown_releases.release(found)


@get("/promotions", summary="List promotions")
async def list_promotions(
    *,
    services: Svc,
    who: Who,
    delivery: Text = "",
    environment: Text = "",
    service: Text = "",
    status: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Promotion]:
    """Every way of a release into an environment, newest first. `status`: with commas."""
    guard.signed_in(who)
    states = _states(status)
    before = cursors.decode_int(cursor)

    def read(db: Connection) -> list[showing.Shown]:
        found = promotions.page(
            db,
            scope_of(who),
            delivery=delivery,
            environment=environment,
            service=service,
            states=states,
            before_id=before,
            limit=limit,
        )
        return showing.whole(db, found)

    found = await services.database.read(read)
    items = [shown_releases.promotion(one) for one in found]
    return cursors.page(items, limit, found[-1].promotion.id if found else None)


def _states(text: str) -> list[str]:
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in list(PromotionState):
            raise InvalidInput(
                f"there is no status {word!r}",
                code="bad-request",
                where="query.status",
                remedy="one of: " + ", ".join(PromotionState),
            )
    return words


@get("/environments", summary="What runs where")
async def list_environments(
    *, services: Svc, who: Who, environment: Text = "", service: Text = "", delivery: Text = ""
) -> Page[wire.Environment]:
    """Every service in every environment, in the order of the deliveries."""
    guard.signed_in(who)
    found = await services.database.read(
        showing.environments,
        scope_of(who),
        environment=environment,
        service=service,
        delivery=delivery,
    )
    return Page(items=[shown_releases.environment(one) for one in found])


@get("/approvals", summary="What waits for somebody's word")
async def list_approvals(*, services: Svc, who: Who) -> Page[wire.Promotion]:
    """Releases that wait for approvals or for a named person's verdict."""
    guard.signed_in(who)
    found = await services.database.read(showing.waiting, scope_of(who))
    return Page(items=[shown_releases.promotion(one) for one in found])


@post("/environments/{environment:str}/promote", summary="Promote a release", status_code=200)
async def promote(
    *, services: Svc, who: Who, environment: Word, data: JSONBody[wire.PromoteRequest]
) -> wire.Promotion:
    """It goes on through the environment's gates. What is no candidate is refused."""
    guard.signed_in(who)

    def work(db: Connection) -> Promotion:
        what = commands.find(db, environment, data.service, data.delivery)
        return commands.promote(db, who, what, version=data.version, why=data.why)

    return await _shown(services, await services.database.write(work))


@post("/environments/{environment:str}/words", summary="Approve or reject", status_code=200)
async def say(
    *, services: Svc, who: Who, environment: Word, data: JSONBody[wire.Word]
) -> wire.Promotion:
    """A person's approval, or verdict (qa), of the release that waits there."""
    guard.signed_in(who)
    if data.kind not in _KINDS or data.verdict not in list(Verdict):
        raise InvalidInput(
            "kind is approval or qa, verdict is yes or no", code="bad-request", where="body"
        )

    def work(db: Connection) -> Promotion:
        what = commands.find(db, environment, data.service, data.delivery)
        return commands.say(
            db,
            who,
            what,
            kind=data.kind,
            verdict=Verdict(data.verdict),
            version=data.version,
            comment=data.comment,
        )

    return await _shown(services, await services.database.write(work))


@post("/environments/{environment:str}/rollback", summary="Go back", status_code=200)
async def rollback(
    *, services: Svc, who: Who, environment: Word, data: JSONBody[wire.RollbackRequest]
) -> Page[wire.Promotion]:
    """To the last known good, or to a version that was good there; one service or all."""
    guard.signed_in(who)

    def work(db: Connection) -> list[Promotion]:
        return go_back(db, who, environment, data)

    made = await services.database.write(work)
    found = await services.database.read(showing.whole, made)
    return Page(items=[shown_releases.promotion(one) for one in found])


def go_back(
    db: Connection, who: Identity, environment: str, data: wire.RollbackRequest
) -> list[Promotion]:
    """In one transaction: all services of an environment, or none."""
    if data.service:
        what = commands.find(db, environment, data.service, data.delivery)
        return [commands.rollback(db, who, what, version=data.version, why=data.why)]
    if data.version:
        raise InvalidInput("a version needs its service", code="bad-request", where="body.version")
    delivery, place = asking.place(deliveries.kept(db), environment, delivery=data.delivery)
    every = [
        asking.Asked(delivery=delivery, environment=place, service=one) for one in delivery.services
    ]
    return commands.rollback_all(db, who, every, why=data.why)


@post("/environments/{environment:str}/deploy", summary="Make it anew elsewhere", status_code=200)
async def deploy(
    *, services: Svc, who: Who, environment: Word, data: JSONBody[wire.DeployRequest]
) -> Page[wire.Deployed]:
    """Every service as Git says it, into another cluster. The same again changes nothing."""
    guard.signed_in(who)
    await services.database.read(commands.may_deploy, who, environment, delivery=data.delivery)
    deps = here(services.delivering, "deliveries")
    delivery, place = await services.database.write(
        commands.begin_deploy, who, environment, data.cluster, delivery=data.delivery
    )
    made = await recreating.deploy(deps, delivery, place, data.cluster)
    return Page(items=[wire.Deployed(**structs.asdict(one)) for one in made])


@post("/environments/{environment:str}/test", summary="Run the integration suite", status_code=200)
async def test(
    *, services: Svc, who: Who, environment: Word, data: JSONBody[wire.TestRequest]
) -> wire.Started:
    """Against what the environment runs, with other digests of some services if said."""
    guard.signed_in(who)
    await services.database.read(commands.may_test, who, environment, delivery=data.delivery)
    deps = here(services.delivering, "deliveries")
    delivery, place = await services.database.write(
        commands.begin_test, who, environment, data.instead, delivery=data.delivery
    )
    key = f"test/{uuid.uuid4().hex}"
    return wire.Started(build=await recreating.test(deps, delivery, place, data.instead, key=key))


@get("/dora", summary="How deliveries went")
async def show_dora(
    *, services: Svc, who: Who, environment: Text, service: Text = "", days: Days = 30
) -> wire.Dora:
    """Lead time, frequency, failure rate, recovery time, rework of one environment."""
    guard.signed_in(who)
    found = await services.database.read(
        showing.figures, scope_of(who), environment, days=float(days), service=service
    )
    return shown_releases.dora(found, environment, days=days, service=service)


async def _shown(services: Any, made: Promotion) -> wire.Promotion:
    (found,) = await services.database.read(showing.whole, [made])
    return shown_releases.promotion(found)


ROUTES = [
    list_releases,
    show_release,
    list_promotions,
    list_environments,
    list_approvals,
    promote,
    say,
    rollback,
    deploy,
    test,
    show_dora,
]
