"""Kubernetes Events of the controllers of rollouts and analyses."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final, Literal

from fairway.kit import clock
from fairway.kube import history, objects
from fairway.kube.client import Kube
from fairway.kube.kind import EVENT
from fairway.model.errors import FairwayError

_COMPONENT: Final = "rollouts-controller"
_log = logging.getLogger(__name__)
_numbers = itertools.count()


async def tell(
    kube: Kube,
    about: Mapping[str, Any],
    *,
    reason: str,
    message: str,
    type: Literal["Normal", "Warning"] = "Normal",  # noqa: A002 the field's name
) -> None:
    """Write an Event. One that cannot be written is logged and lost: nothing depends on it."""
    moment = (clock.text(clock.now()) or "").partition(".")[0] + "Z"
    mark = f"{clock.now():x}{next(_numbers) % 0x10000:04x}{secrets.token_hex(2)}"
    event = history.entry(
        about, by=_COMPONENT, tone=type, reason=reason, message=message, at=moment, mark=mark
    )
    try:
        await kube.create(EVENT, event)
    except FairwayError as error:
        _log.info("the event %s about %s is lost: %s", reason, objects.key(about), error)
