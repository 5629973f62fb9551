"""What a person should hear of an object, as a Kubernetes Event. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from fairway.gateway.snapshot import Object, Warned

_COMPONENT: Final = "fairway-gateway"
_LONGEST: Final = 1024  # of a message
_NAME: Final = 200


def event(warned: Warned, found: Object, now: str) -> dict[str, Any]:
    """The Event about an object. Its name says what it is about, so that nobody hears it twice."""
    meta = found["metadata"]
    about = f"{meta.get('uid', '')}/{warned.reason}/{warned.message}"
    mark = hashlib.sha256(about.encode()).hexdigest()[:12]
    return {
        "metadata": {
            "name": f"{warned.ref.name[:_NAME]}.{mark}",
            "namespace": warned.ref.namespace or "default",
        },
        "involvedObject": {
            "apiVersion": found.get("apiVersion", ""),
            "kind": warned.ref.kind,
            "namespace": warned.ref.namespace,
            "name": warned.ref.name,
            "uid": meta.get("uid", ""),
        },
        "type": "Warning",
        "reason": warned.reason,
        "message": warned.message[:_LONGEST],
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
