"""Images that builds made. Writing belongs to `image`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.model.built import BuildFacts, Candidate, Made, MadeView, StepFact
from fairway.model.errors import NotFound
from fairway.model.events import ImageBuilt
from fairway.model.scope import Scope
from fairway.model.status import Status
from fairway.store import roles
from fairway.store.rows import each, to
from fairway.store.schema import (
    build,
    image,
    manifest,
    registry_repository,
    repository,
    stage,
    step,
    tag,
)


def record(db: Connection, event: ImageBuilt) -> None:
    """Note that a step pushed a digest. The same again changes nothing."""
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    values = {
        "repository_name": event.repository_name,
        "digest": event.digest,
        "name": event.name,
        "target": event.target,
        "build": event.build,
        "step": event.step,
        "revision": event.revision,
        "created": clock.now(),
    }
    db.execute(dialect.insert(image).values(values).on_conflict_do_nothing())


def unjudged(db: Connection, build_id: int) -> list[Made]:
    """A build's images that have not been judged, eldest first."""
    query = select(image).where(image.c.build == build_id, image.c.candidate == "")
    return each(db.execute(query.order_by(image.c.id)), Made)


def judge(db: Connection, build_id: int, candidate: Candidate, reason: str) -> None:
    """Say of all images of a build that have not been judged what they are."""
    waiting = (image.c.build == build_id) & (image.c.candidate == "")
    values = {"candidate": str(candidate), "reason": reason, "judged": clock.now()}
    db.execute(update(image).where(waiting).values(values))


def facts(db: Connection, build_id: int) -> BuildFacts:
    """What decides over a build's images. Raises `NotFound`."""
    query = (
        select(build, repository.c.slug, repository.c.default_branch)
        .join(repository, repository.c.id == build.c.repository)
        .where(build.c.id == build_id)
    )
    row = db.execute(query).first()
    if row is None:
        raise NotFound(f"there is no build with id {build_id}", code="build-not-found")
    return BuildFacts(
        slug=row.slug,
        number=row.number,
        event=row.event,
        status=row.status,
        branch=row.target,
        ref=row.ref,
        default_branch=row.default_branch,
        error=row.error,
        steps=_steps(db, build_id, row.repository),
    )


def _steps(db: Connection, build_id: int, repository_id: int) -> tuple[StepFact, ...]:
    query = (
        select(step, stage.c.name.label("pipeline"))
        .join(stage, stage.c.id == step.c.stage)
        .where(stage.c.build == build_id)
        .order_by(stage.c.number, step.c.number)
    )
    rows = db.execute(query).all()
    passed = _passed_before(db, repository_id, {row.carried for row in rows if row.carried})
    return tuple(
        StepFact(
            pipeline=row.pipeline,
            name=row.name,
            status=row.status,
            ignored=row.ignored,
            background=row.service or row.detach,
            carried=row.carried,
            carried_passed=(row.carried, row.pipeline) in passed,
        )
        for row in rows
    )


def _passed_before(db: Connection, repository_id: int, numbers: set[int]) -> set[tuple[int, str]]:
    """(build number, pipeline) of those that passed."""
    if not numbers:
        return set()
    query = (
        select(build.c.number, stage.c.name)
        .join(stage, stage.c.build == build.c.id)
        .where(build.c.repository == repository_id, build.c.number.in_(sorted(numbers)))
        .where(stage.c.status == Status.PASSED)
    )
    return {(row.number, row.name) for row in db.execute(query)}


def is_newest(db: Connection, build_id: int, repository_name: str) -> bool:
    """Whether no candidate of that name comes of a newer change than this build's.

    A retry is as old as the build that it repeats.
    """
    mine = _root(db, build_id)
    query = (
        select(image.c.build)
        .where(image.c.repository_name == repository_name, image.c.candidate == Candidate.YES)
        .where(image.c.build != build_id)
        .order_by(image.c.id.desc())
        .limit(20)
    )
    return all(_root(db, other) <= mine for other in set(db.execute(query).scalars()))


def _root(db: Connection, build_id: int) -> int:
    """The id of the build that began it all."""
    parent = build.alias("parent")
    while True:
        query = (
            select(parent.c.id)
            .join(build, (build.c.repository == parent.c.repository))
            .where(build.c.id == build_id, build.c.parent == parent.c.number)
        )
        above: int | None = db.execute(query).scalar()
        if above is None or above >= build_id:
            return build_id
        build_id = above


def _views(scope: Scope) -> Select[Any]:
    return (
        select(
            image,
            repository.c.slug,
            build.c.number,
            stage.c.name.label("stage_name"),
            step.c.name.label("step_name"),
        )
        .join(build, build.c.id == image.c.build)
        .join(repository, repository.c.id == build.c.repository)
        .join(step, step.c.id == image.c.step)
        .join(stage, stage.c.id == step.c.stage)
        .where(roles.visible(scope))
    )


def page(  # noqa: PLR0913 the filters of one list
    db: Connection,
    scope: Scope,
    *,
    repository_id: int | None = None,
    name: str = "",
    commit: str = "",
    build_number: int | None = None,
    digest: str = "",
    candidates: bool = False,
    before_id: int | None = None,
    limit: int = 50,
) -> list[MadeView]:
    """Images that the scope may see, newest first: by commit, build, digest or name."""
    query = _views(scope)
    wanted = {image.c.repository_name: name, image.c.revision: commit, image.c.digest: digest}
    query = query.where(*(column == text for column, text in wanted.items() if text))
    if repository_id is not None:
        query = query.where(build.c.repository == repository_id)
    if build_number is not None:
        query = query.where(build.c.number == build_number)
    if candidates:
        query = query.where(image.c.candidate == Candidate.YES)
    if before_id is not None:
        query = query.where(image.c.id < before_id)
    rows = db.execute(query.order_by(image.c.id.desc()).limit(limit)).all()
    return [_view(db, row) for row in rows]


def _view(db: Connection, row: Any) -> MadeView:
    home = select(registry_repository.c.id).where(registry_repository.c.name == row.repository_name)
    where = home.scalar_subquery()
    tags = select(tag.c.name).where(tag.c.registry_repository == where, tag.c.digest == row.digest)
    size = select(manifest.c.size).where(
        manifest.c.registry_repository == where, manifest.c.digest == row.digest
    )
    return MadeView(
        made=to(row, Made),
        slug=row.slug,
        number=row.number,
        stage=row.stage_name,
        step=row.step_name,
        tags=tuple(db.execute(tags.order_by(tag.c.name)).scalars()),
        size=db.execute(size).scalar() or 0,
    )


def resolve(db: Connection, scope: Scope, names: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Which of (path, tag) our registry has: `path:tag` -> `path@digest`.

    Repositories that the scope may not see count as absent, those of no source repository
    (`library/...`) are everybody's.
    """
    found: dict[str, str] = {}
    for path, name in dict.fromkeys(names):
        query = (
            select(tag.c.digest)
            .join(registry_repository, registry_repository.c.id == tag.c.registry_repository)
            .outerjoin(repository, repository.c.id == registry_repository.c.repository)
            .where(registry_repository.c.name == path, tag.c.name == name)
            .where(registry_repository.c.repository.is_(None) | roles.visible(scope))
        )
        digest = db.execute(query).scalar()
        if digest:
            found[f"{path}:{name}"] = f"{path}@{digest}"
    return found


def homes(db: Connection, paths: Sequence[str]) -> set[str]:
    """Which of these names are ours: of a registry repository or a source repository."""
    if not paths:
        return set()
    registry = select(registry_repository.c.name).where(registry_repository.c.name.in_(paths))
    source = select(repository.c.slug).where(repository.c.slug.in_(paths))
    return {*db.execute(registry).scalars(), *db.execute(source).scalars()}


def count(db: Connection) -> dict[str, int]:
    """How many images there are by judgement: for metrics."""
    query = select(image.c.candidate, func.count()).group_by(image.c.candidate)
    return {row[0] or "unjudged": row[1] for row in db.execute(query)}


def point(db: Connection, path: str, name: str, digest: str) -> bool:
    """Move the tag `name` of our registry's repository `path`; False when the digest is gone."""
    query = select(registry_repository.c.id).join(
        manifest,
        and_(
            manifest.c.registry_repository == registry_repository.c.id, manifest.c.digest == digest
        ),
    )
    home: int | None = db.execute(query.where(registry_repository.c.name == path)).scalar()
    if home is None:
        return False
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    now = clock.now()
    values = {"registry_repository": home, "name": name, "digest": digest, "updated": now}
    statement = dialect.insert(tag).values(values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["registry_repository", "name"],
            set_={"digest": digest, "updated": now},
        )
    )
    return True
