"""What people see of deliveries: environments with what runs there, promotions with what was said,
figures. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.errors import NotFound
from fairway.model.release import Approval, Promotion, PromotionState, Release
from fairway.model.scope import Scope
from fairway.release import asking, dora, history
from fairway.release.deliveries import kept
from fairway.release.spec import Delivery, Environment
from fairway.store import approvals, promotions, releases, repositories

_DAY_MS: Final = 86_400_000
_GOOD: Final = 10


class Shown(Struct, frozen=True, kw_only=True):
    """A promotion with its releases and what was said of it."""

    promotion: Promotion
    release: Release
    previous: Release | None = None
    approvals: Sequence[Approval] = ()


class Running(Struct, frozen=True, kw_only=True):
    """One service in one environment. `on_its_way` waits or runs."""

    delivery: Delivery
    environment: Environment
    service: str
    now: Promotion | None = None
    release: Release | None = None
    newest: Promotion | None = None
    on_its_way: Release | None = None
    good: Sequence[Release] = ()


def whole(db: Connection, found: Sequence[Promotion]) -> list[Shown]:
    """Promotions with all that belongs to them."""
    numbers = {one.release for one in found} | {one.previous for one in found if one.previous}
    known = releases.some(db, numbers)
    said = approvals.of(db, sorted(numbers))
    return [
        Shown(
            promotion=one,
            release=known[one.release],
            previous=known.get(one.previous or 0),
            approvals=[
                each
                for each in said
                if each.release == one.release and each.environment == one.environment
            ],
        )
        for one in found
    ]


def environments(
    db: Connection, scope: Scope, *, environment: str = "", service: str = "", delivery: str = ""
) -> list[Running]:
    """Every service in every environment, in the order of the deliveries; what may be seen."""
    return [
        _running(db, one, place, each.name)
        for one in kept(db).values()
        if delivery in ("", one.name)
        for place in one.environments
        if environment in ("", place.name)
        for each in one.services
        if service in ("", each.name)
        and repositories.by_slug(db, scope, each.repository) is not None
    ]


def _running(db: Connection, delivery: Delivery, place: Environment, service: str) -> Running:
    lane = promotions.lane(db, delivery.name, place.name, service)
    now = history.current(lane)
    newest = lane[0] if lane else None
    good = history.good(lane)[:_GOOD]
    numbers = {*good, *([now.release] if now else []), *([newest.release] if newest else [])}
    known = releases.some(db, numbers)
    open_one = newest is not None and not newest.state.done
    return Running(
        delivery=delivery,
        environment=place,
        service=service,
        now=now,
        release=known.get(now.release) if now else None,
        newest=newest,
        on_its_way=known.get(newest.release) if newest is not None and open_one else None,
        good=[known[one] for one in good if one in known],
    )


def waiting(db: Connection, scope: Scope) -> list[Shown]:
    """What waits for somebody's approval or verdict."""
    found = promotions.page(db, scope, states=[PromotionState.WAITING], limit=500)
    asks = [one for one in found if any(_is_ask(text) for text in one.waits)]
    return whole(db, asks)


def _is_ask(text: str) -> bool:
    return "approval" in text or "(qa)" in text


def release(db: Connection, scope: Scope, number: int) -> Release:
    """One release that may be seen. Raises `NotFound` (code `no-release`)."""
    found = releases.by_id(db, number)
    seen = found and releases.page(
        db, scope, delivery=found.delivery, service=found.service, before_id=number + 1, limit=1
    )
    if not found or not seen or seen[0].id != number:
        raise NotFound(f"there is no release {number}", code="no-release")
    return found


def figures(
    db: Connection, scope: Scope, environment: str, *, days: float, service: str = ""
) -> dora.Figures:
    """How deliveries to an environment went in the last `days`. Raises `NotFound` for one that
    there is not, and that nothing was delivered to.
    """
    began = int(clock.now() - days * _DAY_MS)
    every = promotions.since(db, scope, environment, began)
    chosen = [one for one in every if service in ("", one.service)]
    if not chosen:
        asking.known_place(kept(db), environment, service=service)
    known: dict[int, Release] = {}
    for pair in {(one.delivery, one.service) for one in chosen}:
        known |= {one.id: one for one in releases.of_service(db, *pair, limit=2000)}
    return dora.figures(chosen, known, days=days)
