"""A right in an environment: who may do which act of delivery there."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class DeliveryAction(StrEnum):
    """What may be done to an environment of a delivery. Each is a right of its own."""

    PROMOTE = "promote"  # bring a release into it
    APPROVE = "approve"  # say yes or no where a gate asks
    QA = "qa"  # give a release's verdict there
    ROLLBACK = "rollback"  # return to what was good
    SYNC = "sync"  # sync its applications by hand
    DEPLOY = "deploy"  # make it anew elsewhere


class DeliveryRight(Struct, frozen=True, kw_only=True):
    """One right, of a user (`login`) or of a team's members. `environment` "" is every one."""

    action: DeliveryAction
    delivery: str
    environment: str = ""
    login: str = ""
    team: str = ""
    created: int = 0
