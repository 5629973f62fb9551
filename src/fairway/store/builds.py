"""Builds. Writing belongs to `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from fairway.kit import clock
from fairway.model.build import Build
from fairway.model.errors import NotFound
from fairway.model.repository import Repository
from fairway.model.scope import Scope
from fairway.model.status import DONE, Status
from fairway.store import roles
from fairway.store.rows import each, to
from fairway.store.schema import build, repository

UNFINISHED = tuple(str(status) for status in Status if status not in DONE)


_REPOSITORY: Final = select(repository).where(repository.c.id == bindparam("of"))
_CHANGE: Final = (
    update(build).where(build.c.id == bindparam("of")).values(version=build.c.version + 1)
)
_BY_ID: Final = select(build).where(build.c.id == bindparam("of"))
_LOCKED: Final = _BY_ID.with_for_update()
_BY_NUMBER: Final = select(build).where(
    build.c.repository == bindparam("of"), build.c.number == bindparam("number")
)
_OVERDUE: Final = (
    select(build)
    .where(build.c.status == Status.RUNNING, build.c.deadline <= bindparam("now"))
    .where(build.c.verdict == "")
    .order_by(build.c.id)
)


def repository_of(db: Connection, number: int) -> Repository:
    """A repository's facts. Raises `NotFound`."""
    row = db.execute(_REPOSITORY, {"of": number}).first()
    if row is None:
        raise NotFound(f"there is no repository with id {number}", code="repository-not-found")
    return to(row, Repository)


def locked_repository(db: Connection, number: int) -> Repository:
    """A repository's facts, locked against other writers until the transaction ends."""
    query = select(repository).where(repository.c.id == number).with_for_update()
    return to(db.execute(query).one(), Repository)


def next_number(db: Connection, repository_id: int) -> int:
    """The next build's number of a repository."""
    query = (
        update(repository)
        .where(repository.c.id == repository_id)
        .values(counter=repository.c.counter + 1)
        .returning(repository.c.counter)
    )
    return int(db.execute(query).scalar_one())


def create(db: Connection, values: dict[str, Any]) -> Build:
    """Insert a build with the next number of its repository."""
    number = next_number(db, values["repository"])
    plain = msgspec.to_builtins({**values, "number": number, "created": clock.now()})
    row = db.execute(insert(build).values(plain).returning(build)).one()
    return to(row, Build)


def change(db: Connection, build_id: int, **values: Any) -> None:
    """Write columns of one build."""
    db.execute(_CHANGE, {**values, "of": build_id})


def find(db: Connection, build_id: int) -> Build:
    """One build. Raises `NotFound`."""
    row = db.execute(_BY_ID, {"of": build_id}).first()
    if row is None:
        raise NotFound(f"there is no build with id {build_id}", code="build-not-found")
    return to(row, Build)


def locked(db: Connection, build_id: int) -> Build:
    """One build, locked against other writers until the transaction ends. Raises `NotFound`.

    Whatever changes a build's stages begins with this, so that two ends at once meet in order.
    """
    row = db.execute(_LOCKED, {"of": build_id}).first()
    if row is None:
        raise NotFound(f"there is no build with id {build_id}", code="build-not-found")
    return to(row, Build)


def by_number(db: Connection, repository_id: int, number: int) -> Build | None:
    """A repository's build of this number."""
    row = db.execute(_BY_NUMBER, {"of": repository_id, "number": number}).first()
    return to(row, Build) if row else None


def by_trigger_key(db: Connection, key: str) -> Build | None:
    """The build that a trigger made already."""
    row = db.execute(select(build).where(build.c.trigger_key == key)).first()
    return to(row, Build) if row else None


def unfinished(db: Connection, repository_id: int | None = None) -> list[Build]:
    """Builds that have not ended, eldest first."""
    query = select(build).where(build.c.status.in_(UNFINISHED)).order_by(build.c.id)
    if repository_id is not None:
        query = query.where(build.c.repository == repository_id)
    return each(db.execute(query), Build)


def overdue(db: Connection, now: int) -> list[Build]:
    """Running builds whose deadline has passed and that have not been told to end."""
    return each(db.execute(_OVERDUE, {"now": now}), Build)


def page(  # noqa: PLR0913 the filters of one list
    db: Connection,
    scope: Scope,
    *,
    repository_id: int | None = None,
    statuses: Sequence[str] = (),
    event: str = "",
    ref: str = "",
    after: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[tuple[Build, str]]:
    """Builds that the scope may see with their repository's slug, newest first."""
    query = _visible(scope)
    if repository_id is not None:
        query = query.where(build.c.repository == repository_id)
    if statuses:
        query = query.where(build.c.status.in_(list(statuses)))
    wanted = {build.c.event: event, build.c.ref: ref, build.c.after: after}
    query = query.where(*(column == text for column, text in wanted.items() if text))
    if before_id is not None:
        query = query.where(build.c.id < before_id)
    rows = db.execute(query.order_by(build.c.id.desc()).limit(limit))
    return [(to(row, Build), row.slug) for row in rows]


def seen(db: Connection, scope: Scope, slug: str, number: int) -> Build:
    """A build that the scope may see. Raises `NotFound`."""
    query = _visible(scope).where(repository.c.slug == slug, build.c.number == number)
    row = db.execute(query).first()
    if row is None:
        raise NotFound(
            f"there is no build {slug}#{number}",
            code="build-not-found",
            remedy="list them: fairway get builds",
        )
    return to(row, Build)


def _visible(scope: Scope) -> Select[Any]:
    return (
        select(build, repository.c.slug)
        .join(repository, repository.c.id == build.c.repository)
        .where(roles.visible(scope))
    )


def children(db: Connection, repository_id: int, number: int) -> list[Build]:
    """Builds that repeat, promote or roll back this one."""
    query = select(build).where(build.c.repository == repository_id, build.c.parent == number)
    return each(db.execute(query.order_by(build.c.id)), Build)


def ancestry(db: Connection, of: Build) -> list[Build]:
    """The build and what it repeats or promotes, back to the one that an event began."""
    chain = [of]
    while chain[-1].parent:
        parent = by_number(db, of.repository, chain[-1].parent)
        if parent is None or parent.id >= chain[-1].id:
            break
        chain.append(parent)
    return chain


def count_by_status(db: Connection) -> dict[str, int]:
    """How many builds have each status."""
    query = select(build.c.status, func.count()).group_by(build.c.status)
    return dict(db.execute(query).tuples().all())
