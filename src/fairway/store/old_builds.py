"""Builds that retention may remove, and their removal. Owner: `pipeline`.

What something still names stays whatever its age: a release or what verifies it, an open change
request, a build that repeats it, a tag, the candidate that a name stands for, a branch or tag of
the repository whose state it tells.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    cast,
    delete,
    exists,
    or_,
    select,
)

from fairway.model.built import Candidate
from fairway.model.status import DONE, Status
from fairway.store import measures
from fairway.store.schema import (
    build,
    change_request,
    image,
    ref,
    registry_repository,
    release,
    repository,
    tag,
    verification,
)

_ENDED: Final = tuple(str(status) for status in sorted(DONE))


def found(db: Connection, *, before: int, most: int, limit: int) -> list[int]:
    """Ids of builds that may go, eldest first: ended before `before`, or beyond the newest `most`
    of their repository (0: neither). At most `limit`.
    """
    ids: list[int] = []
    if before > 0:
        query = _free().where(build.c.finished < before).order_by(build.c.id).limit(limit)
        ids += db.execute(query).scalars()
    for number, last in _surplus(db, most) if most > 0 else ():
        query = _free().where(build.c.repository == number, build.c.number <= last)
        ids += db.execute(query.order_by(build.c.number).limit(limit)).scalars()
    return sorted(set(ids))[:limit]


def remove(db: Connection, build_id: int) -> bool:
    """Remove a build with all that hangs on it; False when something names it by now.

    Its steps stay in what metrics count.
    """
    db.execute(select(build.c.id).where(build.c.id == build_id).with_for_update())
    if db.execute(_free().where(build.c.id == build_id)).first() is None:
        return False
    measures.carry(db, build_id)
    db.execute(delete(build).where(build.c.id == build_id))
    return True


def _surplus(db: Connection, most: int) -> list[tuple[int, int]]:
    """(repository, number of its newest build that is one too many)."""
    many = select(repository.c.id).where(repository.c.counter > most)
    last = []
    for one in db.execute(many).scalars().all():
        query = select(build.c.number).where(build.c.repository == one)
        number = db.execute(query.order_by(build.c.number.desc()).limit(1).offset(most)).scalar()
        if number is not None:
            last.append((one, number))
    return last


def _free() -> Select[Any]:
    """Ended builds that nothing names."""
    named = or_(_delivered(), _asked_for(), _repeated(), _holds_images(), _tells_of_a_ref())
    return (
        select(build.c.id)
        .join(repository, repository.c.id == build.c.repository)
        .where(build.c.status.in_(_ENDED), ~named)
    )


def _delivered() -> ColumnElement[bool]:
    """A release was made of it, or verified by it."""
    number = cast(build.c.number, String)
    return or_(
        exists().where(
            release.c.repository == repository.c.slug, release.c.build == build.c.number
        ),
        exists().where(verification.c.reference == repository.c.slug + "#" + number),
    )


def _asked_for() -> ColumnElement[bool]:
    """An open change request shows it."""
    return exists().where(
        change_request.c.repository == build.c.repository,
        change_request.c.build == build.c.number,
        change_request.c.state == "open",
    )


def _repeated() -> ColumnElement[bool]:
    """A later build repeats or promotes it, and may show its steps' logs."""
    later = build.alias("later")
    return exists().where(
        later.c.repository == build.c.repository,
        later.c.number > build.c.number,
        later.c.parent == build.c.number,
    )


def _holds_images() -> ColumnElement[bool]:
    """An image of it is tagged or released, or is the candidate that its name stands for."""
    newer = image.alias("newer")
    tagged = exists().where(
        registry_repository.c.name == image.c.repository_name,
        tag.c.registry_repository == registry_repository.c.id,
        tag.c.digest == image.c.digest,
    )
    stands = and_(
        image.c.candidate == Candidate.YES,
        ~exists().where(
            newer.c.repository_name == image.c.repository_name,
            newer.c.candidate == Candidate.YES,
            newer.c.id > image.c.id,
        ),
    )
    released = exists().where(release.c.digest == image.c.digest)
    return exists().where(image.c.build == build.c.id, or_(tagged, stands, released))


def _tells_of_a_ref() -> ColumnElement[bool]:
    """The last build of a branch or tag that is there, and the last that passed."""
    newer = build.alias("newer")
    same = and_(
        newer.c.repository == build.c.repository,
        newer.c.number > build.c.number,
        newer.c.ref == build.c.ref,
    )
    there = exists().where(ref.c.repository == build.c.repository, ref.c.name == build.c.ref)
    passed = build.c.status == Status.PASSED
    better = exists().where(same, newer.c.status == Status.PASSED)
    return and_(there, or_(~exists().where(same), and_(passed, ~better)))
