"""Test and coverage reports. Writing belongs to `pipeline`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from fairway.model.report import Report
from fairway.model.status import Status
from fairway.store.rows import each
from fairway.store.schema import build, report, stage, step


def save(db: Connection, step_id: int, attempt: int, values: dict[str, Any]) -> None:
    """Write the report of one attempt; a second time replaces it."""
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(report).values(step=step_id, attempt=attempt, **values)
    db.execute(statement.on_conflict_do_update(index_elements=["step", "attempt"], set_=values))


def of_build(db: Connection, build_id: int) -> list[Report]:
    """The reports of a build, in the order of its steps; the last attempt of each."""
    query = (
        select(report)
        .join(step, (step.c.id == report.c.step) & (step.c.attempt == report.c.attempt))
        .join(stage, stage.c.id == step.c.stage)
        .where(stage.c.build == build_id)
        .order_by(stage.c.number, step.c.number)
    )
    return each(db.execute(query), Report)


def coverage_before(
    db: Connection, repository_id: int, *, branch: str, before: int
) -> tuple[int, int] | None:
    """(covered, total) lines of the last passed push build of a branch before build `before`."""
    last = (
        select(func.max(build.c.id))
        .join(stage, stage.c.build == build.c.id)
        .join(step, step.c.stage == stage.c.id)
        .join(report, (report.c.step == step.c.id) & (report.c.lines_total > 0))
        .where(
            build.c.repository == repository_id,
            build.c.target == branch,
            build.c.event == "push",
            build.c.status == Status.PASSED,
            build.c.id < before,
        )
    )
    number = db.execute(last).scalar()
    if number is None:
        return None
    found = of_build(db, number)
    return sum(one.lines_covered for one in found), sum(one.lines_total for one in found)
