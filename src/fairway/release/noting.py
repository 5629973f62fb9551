"""What changes of promotions, each in one transaction with its event and its audit entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.events import PromotionChanged
from fairway.model.release import Promotion, PromotionKind, PromotionState
from fairway.release import deliveries, history
from fairway.store import audit, outbox, promotions, releases

_OPEN = (PromotionState.WAITING, PromotionState.RUNNING)


def tell(db: Connection, one: Promotion) -> None:
    """The event of what a promotion is now."""
    found = releases.some(db, [one.release, *([one.previous] if one.previous else [])])
    release = found[one.release]
    before = found.get(one.previous or 0)
    event = PromotionChanged(
        delivery=one.delivery,
        service=one.service,
        environment=one.environment,
        promotion=one.id,
        release=one.release,
        version=release.version,
        digest=release.digest,
        way=one.kind,
        state=one.state,
        step=one.step,
        before=before.version if before else "",
        message=one.message,
        waits=list(one.waits),
        actor=one.actor,
        why=one.why,
        commit=one.commit,
        application=_application(db, one),
    )
    outbox.append(db, event)


def _application(db: Connection, one: Promotion) -> str:
    """Which Application follows; "" once the Delivery is gone, or leaves the environment out."""
    delivery = deliveries.kept(db).get(one.delivery)
    environment = delivery.environment(one.environment) if delivery else None
    return environment.application_of(one.service) if environment else ""


def offered(db: Connection, what: Promotion) -> Promotion:
    """A new one that waits."""
    made = promotions.add(db, what)
    tell(db, made)
    return made


def started(db: Connection, number: int) -> Promotion | None:
    """It begins, if its place is free."""
    found = promotions.by_id(db, number)
    if found is None:
        return None
    lane = promotions.lane(db, found.delivery, found.environment, found.service)
    at = history.current(lane)
    made = promotions.begin(db, number, previous=at.release if at else None)
    if made is not None:
        tell(db, made)
    return made


def waits(db: Connection, number: int, what: Sequence[str]) -> None:
    """For what it waits."""
    made = promotions.change(db, number, [PromotionState.WAITING], waits=tuple(what))
    if made is not None:
        tell(db, made)


def told(db: Connection, number: int, values: Mapping[str, Any]) -> Promotion | None:
    """Progress of one that runs; None when it does not any more."""
    made = promotions.change(db, number, [PromotionState.RUNNING], **values)
    if made is not None:
        tell(db, made)
    return made


def ended(
    db: Connection, number: int, state: PromotionState, message: str, *, bad: str = ""
) -> Promotion | None:
    """It has ended; None when it had already."""
    made = promotions.change(
        db, number, _OPEN, state=state, message=message, bad=bad, waits=(), ended=clock.now()
    )
    if made is None:
        return None
    tell(db, made)
    if made.kind is not PromotionKind.PROMOTION or state is not PromotionState.SUPERSEDED:
        subject = f"service/{made.delivery}/{made.service}"
        after = {"environment": made.environment, "release": made.release, "message": message}
        audit.append(db, made.actor or "fairway", f"promotion.{state}", subject, after=after)
    return made


def refused(db: Connection, number: int, why: str) -> None:
    """Its rollout or verification refused it: it failed, is not tried again by automation, and Git
    goes back to what was good.
    """
    made = ended(db, number, PromotionState.FAILED, why, bad=why)
    if made is None:
        return
    lane = promotions.lane(db, made.delivery, made.environment, made.service)
    back = next((one for one in history.good(lane) if one != made.release), None)
    if back is None:
        return
    version = releases.some(db, [made.release])[made.release].version
    offered(
        db,
        Promotion(
            id=0,
            release=back,
            delivery=made.delivery,
            service=made.service,
            environment=made.environment,
            kind=PromotionKind.REVERT,
            why=f"{version} was refused: {why}"[:500],
        ),
    )
