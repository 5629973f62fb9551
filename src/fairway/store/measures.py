"""Counts for metrics, read in few statements. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, case, func, select

from fairway.kit import clock
from fairway.store.schema import blob, build, delivery, event, image, runner, stage, step


class Measures(Struct, frozen=True, kw_only=True):
    """What the store can count. Durations in seconds, sizes in bytes."""

    builds: dict[str, int]  # by status
    stages: dict[str, int]
    oldest_pending_s: float
    step_buckets: list[tuple[float, int]]  # (at most so long, so many steps)
    step_count: int
    step_seconds: float
    images: dict[str, int]  # by judgement
    blob_count: int
    blob_bytes: int
    runners: dict[str, int]  # online, offline, paused
    deliveries: int
    parked: int
    oldest_delivery_s: float
    events: int


def measure(db: Connection, bounds: Sequence[float], *, online_ms: int) -> Measures:
    """Everything at once. `bounds` are the upper bounds of the steps' durations in seconds."""
    now = clock.now()
    count, seconds, buckets = _steps(db, bounds)
    blobs = db.execute(select(func.count(), func.coalesce(func.sum(blob.c.size), 0))).one()
    waiting = select(func.min(stage.c.created)).where(stage.c.status == "pending")
    late = (
        select(func.min(event.c.at))
        .join(delivery, delivery.c.event == event.c.id)
        .where(delivery.c.parked.is_(False))
    )
    return Measures(
        builds=_by(db, build.c.status),
        stages=_by(db, stage.c.status),
        oldest_pending_s=_age(db.execute(waiting).scalar(), now),
        step_buckets=buckets,
        step_count=count,
        step_seconds=seconds,
        images=_by(db, image.c.candidate),
        blob_count=blobs[0],
        blob_bytes=int(blobs[1]),
        runners=_runners(db, now - online_ms),
        deliveries=_count(db, parked=False),
        parked=_count(db, parked=True),
        oldest_delivery_s=_age(db.execute(late).scalar(), now),
        events=db.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one(),
    )


def _by(db: Connection, column: object) -> dict[str, int]:
    query = select(column, func.count()).group_by(column)  # type: ignore[call-overload]
    return {row[0]: row[1] for row in db.execute(query)}


def _age(at: int | None, now: int) -> float:
    return 0.0 if at is None else max(now - at, 0) / 1000


def _count(db: Connection, *, parked: bool) -> int:
    query = select(func.count()).where(delivery.c.parked.is_(parked))
    return int(db.execute(query.select_from(delivery)).scalar_one())


def _steps(db: Connection, bounds: Sequence[float]) -> tuple[int, float, list[tuple[float, int]]]:
    took = step.c.stopped - step.c.started
    within = [func.coalesce(func.sum(case((took <= int(b * 1000), 1), else_=0)), 0) for b in bounds]
    query = select(func.count(), func.coalesce(func.sum(took), 0), *within).where(
        step.c.started.is_not(None), step.c.stopped.is_not(None), step.c.carried == 0
    )
    row = db.execute(query).one()
    counted = [int(number) for number in row[2:]]
    return row[0], int(row[1]) / 1000, list(zip(bounds, counted, strict=True))


def _runners(db: Connection, since: int) -> dict[str, int]:
    found = {"online": 0, "offline": 0, "paused": 0}
    for row in db.execute(select(runner.c.paused, runner.c.seen)):
        state = "paused" if row.paused else "online" if row.seen >= since else "offline"
        found[state] += 1
    return found
