"""What is kept of each step's log; the bytes are blobs. Writing belongs to `pipeline`."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.model.step import Log
from fairway.store.rows import each, to
from fairway.store.schema import log, stage, step

_FIND: Final = select(log).where(
    log.c.step == bindparam("of"), log.c.attempt == bindparam("attempt")
)


def find(db: Connection, step_id: int, attempt: int) -> Log | None:
    """The row of one attempt's log."""
    row = db.execute(_FIND, {"of": step_id, "attempt": attempt}).first()
    return to(row, Log) if row else None


def of_step(db: Connection, step_id: int) -> list[Log]:
    """The logs of all attempts of a step, first attempt first."""
    return each(db.execute(select(log).where(log.c.step == step_id).order_by(log.c.attempt)), Log)


def of_build(db: Connection, build_id: int) -> list[Log]:
    """The logs of a build whose bytes are still kept."""
    query = (
        select(log)
        .join(step, step.c.id == log.c.step)
        .join(stage, stage.c.id == step.c.stage)
        .where(stage.c.build == build_id, log.c.removed.is_(False))
    )
    return each(db.execute(query), Log)


def begin(db: Connection, step_id: int, attempt: int) -> Log:
    """The row, made if there is none."""
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(log).values(step=step_id, attempt=attempt, created=clock.now())
    db.execute(statement.on_conflict_do_nothing(index_elements=["step", "attempt"]))
    return to(db.execute(_FIND, {"of": step_id, "attempt": attempt}).one(), Log)


def extend(db: Connection, seen: Log, *, size: int, raw: int, lines: int, truncated: bool) -> bool:
    """Move the kept end; False when somebody else did meanwhile."""
    query = (
        update(log)
        .where(log.c.id == seen.id, log.c.size == seen.size, log.c.raw == seen.raw)
        .values(size=size, raw=raw, lines=lines, truncated=truncated)
    )
    return bool(db.execute(query).rowcount == 1)


def end(db: Connection, step_id: int, attempt: int) -> None:
    """The log is whole."""
    begin(db, step_id, attempt)
    db.execute(update(log).where(log.c.step == step_id, log.c.attempt == attempt).values(done=True))


def end_all(db: Connection, stage_id: int) -> None:
    """Every log of a stage is as whole as it will ever be."""
    mine = select(step.c.id).where(step.c.stage == stage_id)
    db.execute(update(log).where(log.c.step.in_(mine)).values(done=True))


def removed(db: Connection, log_id: int) -> None:
    """Retention took the bytes; the row stays as a note."""
    db.execute(update(log).where(log.c.id == log_id).values(removed=True))


def kept(db: Connection) -> list[tuple[Log, int]]:
    """Whole logs whose bytes are still kept, with the build that they belong to; eldest first."""
    query = (
        select(log, stage.c.build)
        .join(step, step.c.id == log.c.step)
        .join(stage, stage.c.id == step.c.stage)
        .where(log.c.done.is_(True), log.c.removed.is_(False))
        .order_by(log.c.id)
    )
    return [(to(row, Log), row.build) for row in db.execute(query)]


def total_size(db: Connection) -> int:
    """Bytes of all kept logs."""
    query = select(func.coalesce(func.sum(log.c.size), 0)).where(log.c.removed.is_(False))
    return int(db.execute(query).scalar_one())
