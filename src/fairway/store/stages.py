"""Stages, their leases and their queue. Writing belongs to `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from fairway.kit import clock
from fairway.model.errors import NotFound
from fairway.model.stage import NewStage, Stage
from fairway.model.status import Status
from fairway.store import steps
from fairway.store.rows import each, to
from fairway.store.schema import build, stage

_CHANGE: Final = (
    update(stage).where(stage.c.id == bindparam("of")).values(version=stage.c.version + 1)
)
_BY_ID: Final = select(stage).where(stage.c.id == bindparam("of"))
_OF_BUILD: Final = select(stage).where(stage.c.build == bindparam("of")).order_by(stage.c.number)
_LOST: Final = and_(stage.c.status == Status.RUNNING, stage.c.until < bindparam("now"))
_QUEUED: Final = (
    select(stage)
    .where(or_(stage.c.status == Status.PENDING, _LOST), stage.c.type == bindparam("kind"))
    .order_by(stage.c.id)
)
_HELD: Final = (
    select(stage)
    .where(stage.c.status == Status.RUNNING, stage.c.machine == bindparam("machine"))
    .order_by(stage.c.id)
)
_EXPIRED: Final = select(stage).where(_LOST).order_by(stage.c.id)
_ACTIVE: Final = (
    select(stage).where(stage.c.status.in_([Status.PENDING, Status.RUNNING])).order_by(stage.c.id)
)
_BY_TOKEN: Final = select(stage).where(
    stage.c.id == bindparam("of"), stage.c.token == bindparam("token"), stage.c.token != ""
)


def create(db: Connection, build_id: int, repository_id: int, new: NewStage) -> Stage:
    """Insert a stage with its steps."""
    values = msgspec.to_builtins(new)
    values.pop("steps")
    values |= {"build": build_id, "repository": repository_id, "created": clock.now()}
    if new.status.done:
        values["stopped"] = clock.now()
    made = to(db.execute(insert(stage).values(values).returning(stage)).one(), Stage)
    if not made.workspace:
        key = f"stage-{made.id}"
        db.execute(update(stage).where(stage.c.id == made.id).values(workspace=key))
        made = msgspec.structs.replace(made, workspace=key)
    steps.create(db, made.id, new.steps)
    return made


def change(db: Connection, stage_id: int, **values: Any) -> None:
    """Write columns of one stage."""
    db.execute(_CHANGE, {**values, "of": stage_id})


def find(db: Connection, stage_id: int) -> Stage:
    """One stage. Raises `NotFound`."""
    row = db.execute(_BY_ID, {"of": stage_id}).first()
    if row is None:
        raise NotFound(f"there is no stage with id {stage_id}", code="stage-not-found")
    return to(row, Stage)


def of_build(db: Connection, build_id: int) -> list[Stage]:
    """A build's stages in the file's order."""
    return each(db.execute(_OF_BUILD, {"of": build_id}), Stage)


def of_builds(db: Connection, builds: Sequence[int]) -> list[Stage]:
    """The stages of several builds."""
    query = select(stage).where(stage.c.build.in_(list(builds)))
    return each(db.execute(query.order_by(stage.c.build, stage.c.number)), Stage)


def queued(db: Connection, now: int, *, kind: str) -> list[Stage]:
    """What may be leased: pending stages, and running ones whose lease ran out; eldest first."""
    return each(db.execute(_QUEUED, {"now": now, "kind": kind}), Stage)


def held_by(db: Connection, machine: str) -> list[Stage]:
    """What this runner holds."""
    return each(db.execute(_HELD, {"machine": machine}), Stage)


def expired(db: Connection, now: int) -> list[Stage]:
    """Running stages whose lease ran out."""
    return each(db.execute(_EXPIRED, {"now": now}), Stage)


def active(db: Connection) -> list[Stage]:
    """Pending and running stages, eldest first: what concurrency limits count."""
    return each(db.execute(_ACTIVE), Stage)


def claim(
    db: Connection, seen: Stage, *, holder: str, machine: str, token: str, until: int
) -> bool:
    """Take a stage as it was seen; False when somebody else changed it meanwhile."""
    now = clock.now()
    query = (
        update(stage)
        .where(stage.c.id == seen.id, stage.c.version == seen.version)
        .values(
            status=Status.RUNNING,
            holder=holder,
            machine=machine,
            token=token,
            until=until,
            attempt=seen.attempt + 1,
            started=seen.started or now,
            reason="",
            version=seen.version + 1,
        )
    )
    return bool(db.execute(query).rowcount == 1)


_RENEW: Final = (
    update(stage)
    .where(stage.c.id == bindparam("of"), stage.c.token == bindparam("token_"))
    .where(stage.c.status == Status.RUNNING)
    .values(until=bindparam("until_"))
    .returning(stage)
)


def renew(db: Connection, stage_id: int, token: str, until: int) -> Stage | None:
    """Extend a lease; None when the token is no longer the stage's. A stage that ended stays."""
    values = {"of": stage_id, "token_": token, "until_": until}
    row = db.execute(_RENEW, values).first()
    return to(row, Stage) if row else by_token(db, stage_id, token)


def by_token(db: Connection, stage_id: int, token: str) -> Stage | None:
    """The stage if this token is still the one that it was last leased with."""
    row = db.execute(_BY_TOKEN, {"of": stage_id, "token": token}).first()
    return to(row, Stage) if row else None


def count_active(db: Connection) -> dict[str, int]:
    """How many stages wait, may run and run."""
    query = select(stage.c.status, func.count()).group_by(stage.c.status)
    return dict(db.execute(query).tuples().all())


def keys_in_use(db: Connection) -> list[tuple[int, int]]:
    """(build, stage) of every stage that may still have containers: unfinished ones."""
    query = select(stage.c.build, stage.c.id).where(
        stage.c.status.in_([Status.PENDING, Status.RUNNING, Status.WAITING, Status.BLOCKED])
    )
    return [(row.build, row.id) for row in db.execute(query)]


def kept_workspaces(db: Connection) -> list[tuple[str, int]]:
    """(workspace, when its stage stopped) of finished stages, for their retention."""
    query = select(stage.c.workspace, func.max(stage.c.stopped)).where(stage.c.stopped.is_not(None))
    return [(key, at) for key, at in db.execute(query.group_by(stage.c.workspace))]


def unfinished_of(db: Connection, build_id: int) -> int:
    """How many stages of a build have not ended."""
    query = select(func.count()).where(
        stage.c.build == build_id,
        stage.c.status.in_([Status.BLOCKED, Status.WAITING, Status.PENDING, Status.RUNNING]),
    )
    return int(db.execute(query.select_from(stage.join(build))).scalar_one())
