"""Who may do what in which environment of a delivery: asked, given and taken here alone.

An admin of this Fairway may do everything; everybody else what was given to him or to a team of
his, for one environment or for all of a delivery. A build's own credentials may do nothing here:
what leads to an environment is decided by people and by gates, never by a change itself.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from fairway.access import teams
from fairway.access.authorise import require_admin, sign_in
from fairway.access.identity import Identity
from fairway.access.scope import full
from fairway.model.delivery_right import DeliveryAction, DeliveryRight
from fairway.model.errors import Forbidden, InvalidInput, NotFound
from fairway.model.name import check_name
from fairway.model.token import TokenScope
from fairway.store import audit, delivery_rights

_TEAM: Final = "team:"


def allowed(
    db: Connection, who: Identity, action: DeliveryAction, *, delivery: str, environment: str
) -> bool:
    """Whether he may do this there."""
    if who.anonymous or who.build is not None or who.only is not None:
        return False
    if full(who):
        return True
    return who.holds(TokenScope.DELIVERY_WRITE) and delivery_rights.holds(
        db, who.user_id or 0, action, delivery=delivery, environment=environment
    )


def require(
    db: Connection, who: Identity, action: DeliveryAction, *, delivery: str, environment: str
) -> None:
    """Raise `Unauthenticated`, or `Forbidden` (code `no-delivery-right`), unless `allowed`."""
    if who.anonymous:
        raise sign_in()
    if allowed(db, who, action, delivery=delivery, environment=environment):
        return
    lacking = "" if who.holds(TokenScope.DELIVERY_WRITE) else ", with a token of delivery:write"
    raise Forbidden(
        f"{who.login} may not {action} in {delivery}/{environment}: it needs that right{lacking}",
        code="no-delivery-right",
        remedy="an admin gives it: `fairway right grant"
        f" {who.login} {action} {delivery}/{environment}`",
    )


def listing(db: Connection, who: Identity, *, delivery: str = "") -> list[DeliveryRight]:
    """Every right given, for those signed in: whom to ask is no secret. Raises as `require`."""
    if who.anonymous or who.build is not None:
        raise sign_in("this needs a person's token")
    return delivery_rights.listing(db, delivery=delivery)


def grant(db: Connection, who: Identity, *, holder: str, action: str, place: str) -> DeliveryRight:
    """Give a right. `holder`: a login, or `team:NAME`; `place`: DELIVERY, or DELIVERY/ENVIRONMENT.

    Giving it again changes nothing. Raises `Forbidden`, `InvalidInput`, `NotFound`.
    """
    right, ids = _read(db, who, holder=holder, action=action, place=place)
    if delivery_rights.grant(db, right, **ids):
        audit.append(db, who.login, "right.grant", f"{place}/{holder}", after=right)
    return right


def revoke(db: Connection, who: Identity, *, holder: str, action: str, place: str) -> None:
    """Take one away. Raises as `grant`; `NotFound` (code `no-right-there`) for none."""
    right, ids = _read(db, who, holder=holder, action=action, place=place)
    if not delivery_rights.revoke(db, right, **ids):
        raise NotFound(
            f"{holder} has no right of its own to {action} in {place}",
            code="no-right-there",
            remedy=f"`fairway right ls {right.delivery}` lists them",
        )
    audit.append(db, who.login, "right.revoke", f"{place}/{holder}", before=right)


def _read(
    db: Connection, who: Identity, *, holder: str, action: str, place: str
) -> tuple[DeliveryRight, dict[str, int]]:
    require_admin(who)
    delivery, slash, environment = place.partition("/")
    check_name(delivery, "a delivery")
    if slash:
        check_name(environment, "an environment")
    login, team, ids = "", "", {}
    if holder.startswith(_TEAM):
        team = holder.removeprefix(_TEAM)
        ids = {"team_id": teams.named(db, team).id}
    else:
        login = holder
        ids = {"user_id": teams.person(db, login).id}
    right = DeliveryRight(
        action=_action(action), delivery=delivery, environment=environment, login=login, team=team
    )
    return right, ids


def _action(word: str) -> DeliveryAction:
    try:
        return DeliveryAction(word)
    except ValueError:
        raise InvalidInput(
            f"{word[:40]!r} is no act of delivery",
            code="bad-delivery-action",
            where="body.action",
            remedy="one of: " + ", ".join(DeliveryAction),
        ) from None
