"""Steps. Writing belongs to `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from fairway.model.errors import NotFound
from fairway.model.stage import NewStep
from fairway.model.status import DONE, Status
from fairway.model.step import Step
from fairway.store.rows import each, to
from fairway.store.schema import stage, step

_DONE = [str(status) for status in DONE]


_OF_STAGE: Final = select(step).where(step.c.stage == bindparam("of")).order_by(step.c.number)
_CHANGE: Final = update(step).where(step.c.id == bindparam("of"))
_AT: Final = select(step).where(
    step.c.stage == bindparam("of"), step.c.number == bindparam("number")
)


def create(db: Connection, stage_id: int, news: Sequence[NewStep]) -> None:
    """Insert a stage's steps."""
    if news:
        rows = [{**msgspec.to_builtins(new), "stage": stage_id} for new in news]
        for row in rows:
            del row["judges"]
        db.execute(insert(step), rows)


def change(db: Connection, step_id: int, **values: Any) -> None:
    """Write columns of one step."""
    db.execute(_CHANGE, {**values, "of": step_id})


def of_stage(db: Connection, stage_id: int) -> list[Step]:
    """A stage's steps in order."""
    return each(db.execute(_OF_STAGE, {"of": stage_id}), Step)


def of_build(db: Connection, build_id: int) -> list[Step]:
    """All steps of a build, by stage and number."""
    query = select(step).join(stage, stage.c.id == step.c.stage).where(stage.c.build == build_id)
    return each(db.execute(query.order_by(stage.c.number, step.c.number)), Step)


def at(db: Connection, stage_id: int, number: int) -> Step:
    """One step of a stage. Raises `NotFound`."""
    row = db.execute(_AT, {"of": stage_id, "number": number}).first()
    if row is None:
        raise NotFound(f"stage {stage_id} has no step {number}", code="step-not-found")
    return to(row, Step)


def find(db: Connection, step_id: int) -> Step:
    """One step. Raises `NotFound`."""
    row = db.execute(select(step).where(step.c.id == step_id)).first()
    if row is None:
        raise NotFound(f"there is no step with id {step_id}", code="step-not-found")
    return to(row, Step)


def close(db: Connection, stage_id: int, *, running: Status, pending: Status, now: int) -> None:
    """End every step of a stage that has not ended: those that run, and those that never began."""
    unfinished = (step.c.stage == stage_id) & step.c.status.not_in(_DONE)
    started = step.c.status == Status.RUNNING
    db.execute(update(step).where(unfinished, started).values(status=running, stopped=now))
    db.execute(update(step).where(unfinished).values(status=pending))


def restart(db: Connection, stage_id: int) -> None:
    """Begin a stage's steps anew: another machine took it, and has nothing of the first one's.

    What had begun gets a new attempt, so that its log is a new one. Carried results stay.
    """
    begun = (step.c.stage == stage_id) & (step.c.carried == 0) & (step.c.status != Status.PENDING)
    db.execute(
        update(step)
        .where(begun)
        .values(
            status=Status.PENDING,
            attempt=step.c.attempt + 1,
            exit_code=0,
            error="",
            images=[],
            started=None,
            stopped=None,
        )
    )
