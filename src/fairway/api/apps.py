"""Applications: what Git and registries say, brought to clusters."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from litestar import get, post
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access import delivering
from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.api import guard
from fairway.api.services import Services, Svc, Who, Word, here
from fairway.client.wire import app as wire
from fairway.client.wire.common import Page
from fairway.cluster.known import Client
from fairway.cluster.registered import HOME_NAME
from fairway.kube.errors import KubeConflict
from fairway.kube.fleet import HOME_NAME as IN_CLUSTER
from fairway.model.delivery_right import DeliveryAction
from fairway.model.errors import Conflict, Forbidden, InvalidInput, NotFound
from fairway.model.token import TokenScope
from fairway.store import audit

_READS: Final = (TokenScope.DELIVERY_READ, TokenScope.CLUSTER_READ, TokenScope.CLUSTER_WRITE)
_TRIES: Final = 10
_MERGE: Final = "application/merge-patch+json"
_DELIVERY: Final = "fairway.dev/delivery"
_ENVIRONMENT: Final = "fairway.dev/environment"


def _may_look(who: Identity) -> None:
    guard.signed_in(who)
    if not any(who.holds(scope) for scope in _READS):
        raise Forbidden(
            f"the token lacks the scope {TokenScope.DELIVERY_READ}",
            code="token-scope",
            remedy=f"make a token with the scope {TokenScope.DELIVERY_READ}",
        )


@contextlib.asynccontextmanager
async def _hub(services: Services) -> AsyncIterator[Client]:
    clusters = here(services.clusters, "clusters")
    client = await clusters.client(HOME_NAME)
    try:
        yield client
    finally:
        await client.close()


def _path(services: Services, name: str = "") -> str:
    space = quote(services.hub_namespace, safe="")
    base = f"/apis/argoproj.io/v1alpha1/namespaces/{space}/applications"
    return f"{base}/{quote(name, safe='')}" if name else base


async def _read(client: Client, services: Services, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = await client.request("GET", _path(services, name))
    except NotFound as error:
        raise NotFound(
            f"there is no application {name}", code="no-app", remedy="`fairway get apps`"
        ) from error
    return found


@get("/apps", summary="List applications")
async def list_apps(*, services: Svc, who: Who) -> Page[wire.App]:
    """Each with its sync, health and last operation."""
    _may_look(who)
    async with _hub(services) as client:
        try:
            answer = await client.request("GET", _path(services))
        except NotFound:  # the kind is not there: nobody has brought an application yet
            return Page(items=[])
    found = [shown(one) for one in answer.get("items") or ()]
    return Page(items=sorted(found, key=lambda one: one.name))


@get("/apps/{app:str}", summary="One application")
async def show_app(*, services: Svc, who: Who, app: Word) -> wire.App:
    """With its objects, its history and what is wrong."""
    _may_look(who)
    async with _hub(services) as client:
        return shown(await _read(client, services, app))


@get("/apps/{app:str}/diff", summary="What differs between an application and its cluster")
async def diff_app(*, services: Svc, who: Who, app: Word) -> Page[wire.AppDifference]:
    """Each object that is not as it is wanted, both sides as YAML; Secrets' values are masked."""
    _may_look(who)
    differ = here(services.app_differences, "the comparison of applications")
    return Page(items=await differ(app))


@post("/apps/{app:str}/sync", summary="Sync an application", status_code=200)
async def sync_app(*, services: Svc, who: Who, app: Word, data: JSONBody[wire.AppSync]) -> wire.App:
    """Now, as one operation of its own. For admins, and who has the right `sync` where its labels
    `fairway.dev/delivery` and `fairway.dev/environment` say that it belongs.
    """
    guard.signed_in(who)
    async with _hub(services) as client:
        found = await _read(client, services, app)
        await services.database.write(_allow, who, found, app)
        return shown(await begin(client, _path(services, app), found, data, login=who.login))


async def begin(
    client: Client, path: str, found: dict[str, Any], data: wire.AppSync, *, login: str
) -> dict[str, Any]:
    """Ask for a sync of an Application, as it was read or as it is by now: its controller writes
    there as well. Raises `Conflict` (`operation-in-progress`) where one is under way.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return await _once(client, path, found, operation(found, data, login))
        except KubeConflict:
            if tries == _TRIES:
                raise
        found = await client.request("GET", path)


async def _once(
    client: Client, path: str, found: Mapping[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    name, version = found["metadata"]["name"], found["metadata"]["resourceVersion"]
    if found.get("operation"):
        raise Conflict(
            f"another operation of {name} is in progress",
            code="operation-in-progress",
            remedy=f"`fairway wait app {name}`",
        )
    status = {"operationState": None}
    body = {"metadata": {"resourceVersion": version}, "operation": wanted, "status": status}
    answer: dict[str, Any] = await client.request("PATCH", path, body, content_type=_MERGE)
    return answer


def _allow(db: Connection, who: Identity, app: Mapping[str, Any], name: str) -> None:
    """Raise unless he may sync it; and write down that he does."""
    labels = app["metadata"].get("labels") or {}
    delivery, environment = labels.get(_DELIVERY), labels.get(_ENVIRONMENT)
    if delivery and environment:
        delivering.require(db, who, DeliveryAction.SYNC, delivery=delivery, environment=environment)
    else:
        require_admin(who)
    audit.append(db, who.login, "app.sync", f"app/{name}")


def operation(app: Mapping[str, Any], asked: wire.AppSync, login: str) -> dict[str, Any]:
    """The operation as Argo CD's clients write it."""
    policy = (app.get("spec") or {}).get("syncPolicy") or {}
    wishes = {
        "prune": asked.prune,
        "dryRun": asked.dry_run,
        "revision": asked.revision,
        "syncOptions": policy.get("syncOptions"),
        "resources": [_resource(text) for text in asked.resources],
    }
    given = {name: value for name, value in wishes.items() if value}
    sync: dict[str, Any] = {"syncStrategy": {"hook": {}}, **given}
    made: dict[str, Any] = {"sync": sync, "initiatedBy": {"username": login}}
    return {**made, "retry": policy["retry"]} if policy.get("retry") else made


def _resource(text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(parts[-2:]):
        raise InvalidInput(
            f"{text!r} names no resource",
            code="bad-resource",
            where="resources",
            remedy="write GROUP:KIND:NAME, or KIND:NAME for the core group",
        )
    made = {"kind": parts[-2], "name": parts[-1]}
    return {"group": parts[0], **made} if len(parts) == 3 and parts[0] else made


def shown(obj: Mapping[str, Any]) -> wire.App:
    """An Application as the API shows it."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    source, place = spec.get("source") or {}, spec.get("destination") or {}
    state, sync = status.get("operationState") or {}, status.get("sync") or {}
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return wire.App(
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        project=spec.get("project", ""),
        sync=sync.get("status", ""),
        health=(status.get("health") or {}).get("status", ""),
        phase=state.get("phase", ""),
        message=state.get("message", ""),
        running=bool(obj.get("operation")),
        revision=sync.get("revision", ""),
        synced_revision=(state.get("syncResult") or {}).get("revision", ""),
        cluster=place.get("name") or place.get("server") or IN_CLUSTER,
        destination=place.get("namespace", ""),
        repository=source.get("repoURL", ""),
        path=source.get("path", ""),
        chart=source.get("chart", ""),
        target=source.get("targetRevision", ""),
        automated=automated is not None and automated.get("enabled") is not False,
        images=list((status.get("summary") or {}).get("images") or ()),
        conditions=[
            wire.AppCondition(type=one.get("type", ""), message=one.get("message", ""))
            for one in status.get("conditions") or ()
        ],
        resources=[_shown(one) for one in status.get("resources") or ()],
        history=[_visit(one) for one in status.get("history") or ()],
        compared=status.get("reconciledAt", ""),
        created=meta.get("creationTimestamp", ""),
    )


def _shown(one: Mapping[str, Any]) -> wire.AppResource:
    health = one.get("health") or {}
    return wire.AppResource(
        group=one.get("group", ""),
        kind=one.get("kind", ""),
        namespace=one.get("namespace", ""),
        name=one.get("name", ""),
        sync=one.get("status", ""),
        health=health.get("status", ""),
        message=health.get("message", ""),
        hook=bool(one.get("hook")),
        requires_pruning=bool(one.get("requiresPruning")),
    )


def _visit(one: Mapping[str, Any]) -> wire.AppVisit:
    by = one.get("initiatedBy") or {}
    return wire.AppVisit(
        id=int(one.get("id") or 0),
        revision=one.get("revision", ""),
        deployed=one.get("deployedAt", ""),
        by="automation" if by.get("automated") else by.get("username", ""),
    )


ROUTES = [list_apps, show_app, diff_app, sync_app]
