"""What is shown of several nouns at once, read in few statements. Nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct
from sqlalchemy import Connection, func, select

from fairway.model.build import Build
from fairway.model.report import Report
from fairway.model.repository import Repository
from fairway.model.scope import Scope
from fairway.model.stage import Stage
from fairway.model.step import Log, Step
from fairway.store import reports, roles, stages, steps
from fairway.store.rows import to
from fairway.store.schema import build, log, report, repository, stage, step, token, user

_QUEUED = ("blocked", "waiting", "pending")


class BuildView(Struct, frozen=True, kw_only=True):
    """A build with all that hangs on it. `steps` by stage id, `logs` by step id (last attempt)."""

    build: Build
    slug: str
    stages: list[Stage]
    steps: dict[int, list[Step]]
    logs: dict[int, Log]


def build_view(db: Connection, found: Build, slug: str) -> BuildView:
    """A build with its stages, steps and logs."""
    by_stage: dict[int, list[Step]] = {}
    for one in steps.of_build(db, found.id):
        by_stage.setdefault(one.stage, []).append(one)
    query = (
        select(log)
        .join(step, (step.c.id == log.c.step) & (step.c.attempt == log.c.attempt))
        .join(stage, stage.c.id == step.c.stage)
        .where(stage.c.build == found.id)
    )
    logs = {row.step: to(row, Log) for row in db.execute(query)}
    return BuildView(
        build=found,
        slug=slug,
        stages=stages.of_build(db, found.id),
        steps=by_stage,
        logs=logs,
    )


def last_builds(db: Connection, repositories: Sequence[Repository]) -> dict[int, Build]:
    """The newest build of each repository, by the repository's id."""
    newest = (
        select(func.max(build.c.id))
        .where(build.c.repository.in_([one.id for one in repositories]))
        .group_by(build.c.repository)
    )
    rows = db.execute(select(build).where(build.c.id.in_(newest)))
    found = [to(row, Build) for row in rows]
    return {one.repository: one for one in found}


def reports_of(db: Connection, found: Build) -> list[tuple[Report, str, str]]:
    """(report, stage's name, step's name) of a build, in the order of its steps."""
    query = (
        select(step.c.id, stage.c.name.label("stage_name"), step.c.name.label("step_name"))
        .join(stage, stage.c.id == step.c.stage)
        .where(stage.c.build == found.id)
    )
    names = {row.id: (row.stage_name, row.step_name) for row in db.execute(query)}
    return [(one, *names[one.step]) for one in reports.of_build(db, found.id)]


def waiting(
    db: Connection, scope: Scope, *, after: int = 0, limit: int = 100
) -> list[tuple[Stage, int, str]]:
    """Stages that wait, with their build's number and repository's slug; eldest first."""
    query = (
        select(stage, build.c.number.label("build_number"), repository.c.slug)
        .join(build, build.c.id == stage.c.build)
        .join(repository, repository.c.id == stage.c.repository)
        .where(stage.c.status.in_(_QUEUED), stage.c.id > after, roles.visible(scope))
        .order_by(stage.c.id)
        .limit(limit)
    )
    return [(to(row, Stage), row.build_number, row.slug) for row in db.execute(query)]


def busy(db: Connection) -> dict[str, int]:
    """How many stages each runner carries out, by the runner's name."""
    query = (
        select(stage.c.machine, func.count())
        .where(stage.c.status == "running")
        .group_by(stage.c.machine)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def names_of_tokens(db: Connection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(login, slug or "") of tokens by id."""
    query = (
        select(token.c.id, user.c.login, repository.c.slug)
        .join(user, user.c.id == token.c.user)
        .outerjoin(repository, repository.c.id == token.c.repository)
        .where(token.c.id.in_(ids))
    )
    return {row.id: (row.login, row.slug or "") for row in db.execute(query)}


def repositories_of(db: Connection, organisations: Sequence[int], scope: Scope) -> dict[int, int]:
    """How many repositories of each organisation the scope sees, by its id."""
    query = (
        select(repository.c.organisation, func.count())
        .where(repository.c.organisation.in_(organisations), roles.visible(scope))
        .group_by(repository.c.organisation)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def last_measured(db: Connection, repository_id: int, *, branch: str, before: int) -> Build | None:
    """The last passed push build of a branch, before the build with this id, with coverage."""
    query = (
        select(build)
        .join(stage, stage.c.build == build.c.id)
        .join(step, step.c.stage == stage.c.id)
        .join(report, (report.c.step == step.c.id) & (report.c.lines_total > 0))
        .where(
            build.c.repository == repository_id,
            build.c.target == branch,
            build.c.event == "push",
            build.c.status == "passed",
            build.c.id < before,
        )
        .order_by(build.c.id.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    return to(row, Build) if row else None


def visible_of(db: Connection, scope: Scope, ids: Collection[int]) -> set[int]:
    """Which of these repositories (by id) the scope sees."""
    if not ids:
        return set()
    query = select(repository.c.id).where(repository.c.id.in_(ids), roles.visible(scope))
    return set(db.execute(query).scalars())
