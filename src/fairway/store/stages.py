"""Stages, their leases and their queue. Writing belongs to `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, insert, or_, select, update

from fairway.kit import clock
from fairway.model.errors import NotFound
from fairway.model.stage import NewStage, Stage
from fairway.model.status import Status
from fairway.store import steps
from fairway.store.rows import each, to
from fairway.store.schema import build, stage


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
    done = {**values, "version": stage.c.version + 1}
    db.execute(update(stage).where(stage.c.id == stage_id).values(done))


def find(db: Connection, stage_id: int) -> Stage:
    """One stage. Raises `NotFound`."""
    row = db.execute(select(stage).where(stage.c.id == stage_id)).first()
    if row is None:
        raise NotFound(f"there is no stage with id {stage_id}", code="stage-not-found")
    return to(row, Stage)


def of_build(db: Connection, build_id: int) -> list[Stage]:
    """A build's stages in the file's order."""
    query = select(stage).where(stage.c.build == build_id).order_by(stage.c.number)
    return each(db.execute(query), Stage)


def of_builds(db: Connection, builds: Sequence[int]) -> list[Stage]:
    """The stages of several builds."""
    query = select(stage).where(stage.c.build.in_(list(builds)))
    return each(db.execute(query.order_by(stage.c.build, stage.c.number)), Stage)


def queued(db: Connection, now: int, *, kind: str | None = None) -> list[Stage]:
    """What may be leased: pending stages, and running ones whose lease ran out; eldest first."""
    lost = and_(stage.c.status == Status.RUNNING, stage.c.until < now)
    query = select(stage).where(or_(stage.c.status == Status.PENDING, lost)).order_by(stage.c.id)
    if kind is not None:
        query = query.where(stage.c.type == kind)
    return each(db.execute(query), Stage)


def held_by(db: Connection, machine: str) -> list[Stage]:
    """What this runner holds."""
    query = select(stage).where(stage.c.status == Status.RUNNING, stage.c.machine == machine)
    return each(db.execute(query.order_by(stage.c.id)), Stage)


def expired(db: Connection, now: int) -> list[Stage]:
    """Running stages whose lease ran out."""
    query = select(stage).where(stage.c.status == Status.RUNNING, stage.c.until < now)
    return each(db.execute(query.order_by(stage.c.id)), Stage)


def active(db: Connection) -> list[Stage]:
    """Pending and running stages, eldest first: what concurrency limits count."""
    query = select(stage).where(stage.c.status.in_([Status.PENDING, Status.RUNNING]))
    return each(db.execute(query.order_by(stage.c.id)), Stage)


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


def renew(db: Connection, stage_id: int, token: str, until: int) -> Stage | None:
    """Extend a lease; None when the token is no longer the stage's. A stage that ended stays."""
    query = (
        update(stage)
        .where(stage.c.id == stage_id, stage.c.token == token, stage.c.status == Status.RUNNING)
        .values(until=until)
        .returning(stage)
    )
    row = db.execute(query).first()
    if row is None:
        query_ended = select(stage).where(stage.c.id == stage_id, stage.c.token == token)
        row = db.execute(query_ended.where(stage.c.token != "")).first()
    return to(row, Stage) if row else None


def by_token(db: Connection, stage_id: int, token: str) -> Stage | None:
    """The stage if this token is still the one that it was last leased with."""
    query = select(stage).where(stage.c.id == stage_id, stage.c.token == token)
    row = db.execute(query.where(stage.c.token != "")).first()
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
