"""The system: its name and version, its parts, its queue, its audit, its parked events, pauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import get, post, put
from litestar.params import JSONBody
from sqlalchemy import Connection

from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.access.rotation import rotate
from fairway.access.scope import scope_of
from fairway.api import cursors, guard, shown
from fairway.api.services import Check, Cursor, Limit, Number, Svc, Text, Who, here
from fairway.client.wire import system as wire
from fairway.client.wire import who as wire_who
from fairway.client.wire.common import Done, Page
from fairway.kit import clock
from fairway.model.errors import FairwayError, NotFound
from fairway.model.token import TokenScope
from fairway.pipeline import brakes
from fairway.store import audit, outbox, settings, views


def _facts(db: Connection) -> tuple[str, dict[str, Any], int]:
    installation = settings.get(db, "installation") or ""
    pause = settings.get(db, brakes.PAUSE) or {}
    return str(installation), pause, len(outbox.parked(db))


@get("/system", summary="The installation")
async def show_system(*, services: Svc, who: Who) -> wire.System:
    """Version, addresses, and whether work is paused."""
    guard.signed_in(who)
    installation, pause, parked = await services.database.read(_facts)
    return wire.System(
        version=services.addresses.version,
        installation=installation,
        external_url=services.addresses.external_url,
        registry=services.addresses.registry,
        git_url=services.addresses.external_url,
        paused=bool(pause),
        pause_reason=f"by {pause['by']}" if pause.get("by") else "",
        parked=parked,
        time=clock.text(clock.now()) or "",
    )


def _pause(db: Connection, who: Identity, data: wire.Pause) -> None:
    if data.paused:
        brakes.pause(db, f"{who.login}: {data.reason}" if data.reason else who.login)
    else:
        brakes.resume(db)
    action = "system.pause" if data.paused else "system.resume"
    audit.append(db, who.login, action, "system", after=data.reason or None)


@put("/system/pause", summary="Pause or resume all new work")
async def pause_system(*, services: Svc, who: Who, data: JSONBody[wire.Pause]) -> Done:
    """What runs goes on. For admins."""
    require_admin(who)
    await services.database.write(_pause, who, data)
    services.wake.set()
    return Done()


@post("/system/key", summary="Rotate the key that seals secrets", status_code=200)
async def rotate_key(*, services: Svc, who: Who) -> wire.KeyRotation:
    """Everything is sealed anew, then the old keys are dropped. For admins."""
    done = await rotate(services.database, here(services.keyring, "the keyring"), who)
    return wire.KeyRotation(key=done.key, values=done.values, retired=done.retired)


async def checked(checks: Mapping[str, Check]) -> list[wire.Component]:
    """Each part and how it is."""
    found = []
    for name, check in checks.items():
        try:
            found.append(wire.Component(name=name, healthy=True, detail=await check()))
        except FairwayError as error:
            found.append(wire.Component(name=name, healthy=False, detail=str(error)))
    return found


@get("/components", summary="The parts of the system")
async def list_components(*, services: Svc, who: Who) -> Page[wire.Component]:
    """Each with its health; supervised ones with their state, since when, restarts and why."""
    guard.signed_in(who)
    supervised = [one for part in services.parts for one in await part()]
    return Page(items=[*await checked(services.checks), *supervised])


@get("/queue", summary="What waits, and why")
async def list_queue(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Waiting]:
    """Eldest first; only what the asker may see."""
    guard.holds(who, TokenScope.BUILD_READ)
    after = cursors.decode_int(cursor) or 0
    found = await services.database.read(_queue, who, after=after, limit=limit)
    last = found[-1][0] if found else None
    return cursors.page([one for _id, one in found], limit, last)


def _queue(
    db: Connection, who: Identity, *, after: int, limit: int
) -> list[tuple[int, wire.Waiting]]:
    found = views.waiting(db, scope_of(who), after=after, limit=limit)
    why = shown.reasons(db, {stage.build for stage, _number, _slug in found})
    return [
        (
            stage.id,
            wire.Waiting(
                repository=slug,
                build=number,
                stage=stage.name,
                status=str(stage.status),
                reason=why.get(stage.id, stage.reason),
                created=shown.time(stage.created),
            ),
        )
        for stage, number, slug in found
    ]


@get("/audit", summary="Who did what")
async def list_audit(
    *, services: Svc, who: Who, subject: Text = "", limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire_who.Audit]:
    """Newest first. For admins."""
    require_admin(who)
    before = cursors.decode_int(cursor)
    found = await services.database.read(
        audit.listing, scope_of(who), subject=subject, before=before, limit=limit
    )
    items = [shown.audit(one) for one in found]
    return cursors.page(items, limit, items[-1].id if items else None)


@get("/parked", summary="Events that a handler could not take")
async def list_parked(*, services: Svc, who: Who) -> Page[wire.Parked]:
    """After every try. For admins."""
    require_admin(who)
    rows = await services.database.read(outbox.parked)
    return Page(items=[_parked(row) for row in rows])


def _parked(row: Mapping[str, Any]) -> wire.Parked:
    return wire.Parked(
        id=row["id"],
        handler=row["handler"],
        kind=row["type"],
        subject=row["subject"],
        tries=row["tries"],
        error=row["error"],
        at=shown.time(row["at"]),
        data=msgspec.to_builtins(row["payload"]),
    )


def _replay(db: Connection, who: Identity, number: int) -> None:
    if not outbox.replay(db, number):
        raise NotFound(f"no parked event has the id {number}", code="not-parked")
    audit.append(db, who.login, "event.replay", f"delivery/{number}")


@post("/parked/{delivery:int}/replay", summary="Hand a parked event out again", status_code=200)
async def replay_parked(*, services: Svc, who: Who, delivery: Number) -> Done:
    """For admins."""
    require_admin(who)
    await services.database.write(_replay, who, delivery)
    services.database.events.set()
    return Done()


ROUTES = [
    show_system,
    pause_system,
    rotate_key,
    list_components,
    list_queue,
    list_audit,
    list_parked,
    replay_parked,
]
