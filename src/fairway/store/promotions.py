"""Promotions: every way of a release into an environment. Writing belongs to `release`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from fairway.kit import clock
from fairway.model.release import Promotion, PromotionState, Verification
from fairway.model.scope import Scope
from fairway.store import roles
from fairway.store.registry import dialect
from fairway.store.rows import each, to
from fairway.store.schema import promotion, release, repository, verification

_LANE = 500  # of one service in one environment, the latest


def add(db: Connection, what: Promotion) -> Promotion:
    """Write a new one; its id is given by the database."""
    values: dict[str, Any] = msgspec.to_builtins(what)
    del values["id"]
    values["created"] = clock.now()
    key = db.execute(insert(promotion).values(values)).inserted_primary_key
    if key is None:
        raise AssertionError("a promotion without an id")
    found = by_id(db, int(key[0]))
    if found is None:
        raise AssertionError("a promotion that was just made is not there")
    return found


def change(
    db: Connection, number: int, states: Sequence[PromotionState], **values: Any
) -> Promotion | None:
    """Set columns of one that is in one of these states; None when it is in another."""
    plain = msgspec.to_builtins(values)
    where = (promotion.c.id == number) & promotion.c.state.in_([str(one) for one in states])
    if not db.execute(update(promotion).where(where).values(plain)).rowcount:
        return None
    return by_id(db, number)


def begin(db: Connection, number: int, *, previous: int | None) -> Promotion | None:
    """Let one that waits run, if none of its service runs there; None when it may not."""
    found = by_id(db, number)
    if found is None or _busy(db, found):
        return None
    return change(
        db,
        number,
        [PromotionState.WAITING],
        state=PromotionState.RUNNING,
        started=clock.now(),
        previous=previous,
        waits=(),
        message="",
    )


def _busy(db: Connection, found: Promotion) -> bool:
    query = (
        select(promotion.c.id)
        .where(promotion.c.delivery == found.delivery, promotion.c.service == found.service)
        .where(promotion.c.environment == found.environment)
        .where(promotion.c.state == PromotionState.RUNNING)
        .with_for_update()
    )
    return db.execute(query).first() is not None


def spoil(db: Connection, number: int, reason: str) -> None:
    """Automation does not take its release there again."""
    db.execute(update(promotion).where(promotion.c.id == number).values(bad=reason))


def by_id(db: Connection, number: int) -> Promotion | None:
    """One promotion."""
    row = db.execute(select(promotion).where(promotion.c.id == number)).first()
    return None if row is None else to(row, Promotion)


def lane(db: Connection, delivery: str, environment: str, service: str) -> list[Promotion]:
    """Of one service in one environment, newest first."""
    query = (
        select(promotion)
        .where(promotion.c.delivery == delivery, promotion.c.environment == environment)
        .where(promotion.c.service == service)
        .order_by(promotion.c.id.desc())
        .limit(_LANE)
    )
    return each(db.execute(query), Promotion)


def open_ones(db: Connection) -> list[Promotion]:
    """Everything that waits or runs, eldest first."""
    states = [PromotionState.WAITING, PromotionState.RUNNING]
    query = select(promotion).where(promotion.c.state.in_(states)).order_by(promotion.c.id)
    return each(db.execute(query), Promotion)


def page(
    db: Connection,
    scope: Scope,
    *,
    delivery: str = "",
    environment: str = "",
    service: str = "",
    states: Sequence[str] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[Promotion]:
    """Of repositories that the scope may see, newest first."""
    query = (
        select(promotion)
        .join(release, release.c.id == promotion.c.release)
        .join(repository, func.lower(repository.c.slug) == func.lower(release.c.repository))
        .where(roles.visible(scope))
        .order_by(promotion.c.id.desc())
        .limit(limit)
    )
    wanted = {
        promotion.c.delivery: delivery,
        promotion.c.environment: environment,
        promotion.c.service: service,
    }
    query = query.where(*(column == text for column, text in wanted.items() if text))
    if states:
        query = query.where(promotion.c.state.in_(list(states)))
    if before_id is not None:
        query = query.where(promotion.c.id < before_id)
    return each(db.execute(query), Promotion)


def since(db: Connection, scope: Scope, environment: str, at: int) -> list[Promotion]:
    """What began in environments of that name since a time, eldest first."""
    query = (
        select(promotion)
        .join(release, release.c.id == promotion.c.release)
        .join(repository, func.lower(repository.c.slug) == func.lower(release.c.repository))
        .where(roles.visible(scope))
        .where(promotion.c.environment == environment, promotion.c.started >= at)
        .order_by(promotion.c.id)
    )
    return each(db.execute(query), Promotion)


# ---- verifications -------------------------------------------------------------------------------


def refusals(db: Connection, one: Promotion) -> int:
    """How often this release was refused in that environment before this promotion."""
    query = select(func.count()).where(
        promotion.c.release == one.release,
        promotion.c.environment == one.environment,
        promotion.c.state == str(PromotionState.FAILED),
        promotion.c.id < one.id,
    )
    return int(db.execute(query).scalar() or 0)


def verify(db: Connection, what: Verification) -> bool:
    """Write down that a check was started; False when it has been already."""
    values: dict[str, Any] = msgspec.to_builtins(what)
    del values["id"]
    values["created"] = clock.now()
    statement = dialect(db).insert(verification).values(values)
    unique = ["release", "environment", "key"]
    done = db.execute(statement.on_conflict_do_nothing(index_elements=unique))
    return bool(done.rowcount)


def verified(db: Connection, number: int, verdict: str, message: str) -> None:
    """A check has ended."""
    values = {"verdict": verdict, "message": message, "ended": clock.now()}
    where = (verification.c.id == number) & (verification.c.verdict == "")
    db.execute(update(verification).where(where).values(values))


def verifications(db: Connection, releases: Sequence[int]) -> list[Verification]:
    """Of these releases."""
    query = select(verification).where(verification.c.release.in_(list(releases)))
    return each(db.execute(query.order_by(verification.c.id)), Verification)


def unfinished(db: Connection) -> list[Verification]:
    """Checks whose verdict has not come."""
    query = select(verification).where(verification.c.verdict == "")
    return each(db.execute(query.order_by(verification.c.id)), Verification)
