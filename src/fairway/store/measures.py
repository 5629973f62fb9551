"""Counts for metrics, read in few statements."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, case, func, select

from fairway.kit import clock
from fairway.store import settings
from fairway.store.alone import alone
from fairway.store.schema import blob, build, delivery, event, image, runner, stage, step

STEP_BOUNDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_CARRIED: Final = "steps-removed"


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


def measure(db: Connection, *, online_ms: int) -> Measures:
    """Everything at once."""
    now = clock.now()
    steps = _with_carried(_steps(db), settings.get(db, _CARRIED))
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
        step_buckets=[(bound, steps[str(bound)]) for bound in STEP_BOUNDS],
        step_count=steps["count"],
        step_seconds=steps["ms"] / 1000,
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


def _steps(db: Connection, build_id: int | None = None) -> dict[str, int]:
    """How many steps ran to an end, how long together, how many within each bound."""
    took = step.c.stopped - step.c.started
    within = [
        func.coalesce(func.sum(case((took <= int(bound * 1000), 1), else_=0)), 0).label(str(bound))
        for bound in STEP_BOUNDS
    ]
    total = func.coalesce(func.sum(took), 0).label("ms")
    query = select(func.count().label("count"), total, *within).where(
        step.c.started.is_not(None), step.c.stopped.is_not(None), step.c.carried == 0
    )
    if build_id is not None:
        query = query.join(stage, stage.c.id == step.c.stage).where(stage.c.build == build_id)
    return {name: int(number) for name, number in db.execute(query).one()._mapping.items()}  # noqa: SLF001 SQLAlchemy's own way


def _with_carried(steps: dict[str, int], carried: dict[str, int] | None) -> dict[str, int]:
    """With the steps of removed builds: what metrics call a counter never goes back."""
    return {name: number + (carried or {}).get(name, 0) for name, number in steps.items()}


def carry(db: Connection, build_id: int) -> None:
    """Remember what the steps of a build added, which is removed now. For `old_builds`."""
    alone(db, _CARRIED)
    settings.put(db, _CARRIED, _with_carried(_steps(db, build_id), settings.get(db, _CARRIED)))


def _runners(db: Connection, since: int) -> dict[str, int]:
    found = {"online": 0, "offline": 0, "paused": 0}
    for row in db.execute(select(runner.c.paused, runner.c.seen)):
        state = "paused" if row.paused else "online" if row.seen >= since else "offline"
        found[state] += 1
    return found
