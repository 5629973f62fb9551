"""Kubernetes Events about an object: what `kubectl describe` shows of its history."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final, Literal

from fairway.kit import clock
from fairway.kube import objects
from fairway.kube.client import Kube
from fairway.kube.kind import Kind
from fairway.model.errors import FairwayError

EVENT: Final = Kind("", "v1", "events", "Event")
_COMPONENT: Final = "rollouts-controller"
_LONGEST: Final = 1024  # of a message
_NAME: Final = 200
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
    at = objects.key(about)
    now = clock.text(clock.now()) or ""
    moment = now.partition(".")[0] + "Z"
    mark = f"{clock.now():x}{next(_numbers) % 0x10000:04x}{secrets.token_hex(2)}"
    event = {
        "metadata": {"name": f"{at.name[:_NAME]}.{mark}", "namespace": at.namespace or "default"},
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "namespace": at.namespace,
            "name": at.name,
            "uid": objects.uid(about),
            "resourceVersion": objects.version(about),
        },
        "type": type,
        "reason": reason,
        "message": message[:_LONGEST],
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
    try:
        await kube.create(EVENT, event)
    except FairwayError as error:
        _log.info("the event %s about %s is lost: %s", reason, at, error)
