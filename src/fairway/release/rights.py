"""Who may promote, approve and roll back: the one place of this chapter that asks."""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.access import delivering
from fairway.access.identity import Identity
from fairway.model.delivery_right import DeliveryAction
from fairway.release.asking import Asked


def require(db: Connection, who: Identity, action: DeliveryAction, what: Asked) -> None:
    """Raise `Forbidden` (code `no-delivery-right`) or `Unauthenticated`."""
    delivering.require(
        db, who, action, delivery=what.delivery.name, environment=what.environment.name
    )
