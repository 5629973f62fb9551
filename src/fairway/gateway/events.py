"""What a person should hear of an object, as a Kubernetes Event. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from fairway.gateway.snapshot import Object, Warned
from fairway.kube import history, objects

_COMPONENT: Final = "fairway-gateway"


def event(warned: Warned, found: Object, now: str) -> dict[str, Any]:
    """The Event about an object. Its name says what it is about, so that nobody hears it twice."""
    about = f"{objects.uid(found)}/{warned.reason}/{warned.message}"
    return history.entry(
        {**found, "kind": warned.ref.kind},
        by=_COMPONENT,
        tone="Warning",
        reason=warned.reason,
        message=warned.message,
        at=now,
        mark=hashlib.sha256(about.encode()).hexdigest()[:12],
    )
