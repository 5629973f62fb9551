"""Kubernetes Events about an object: what `kubectl describe` shows of its history. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import objects
from fairway.kube.kind import Json

_LONGEST: Final = 1024  # of a message: the API server refuses more
_NAME: Final = 200


def entry(
    about: Mapping[str, Any],
    *,
    by: str,
    tone: str,
    reason: str,
    message: str,
    at: str,
    mark: str = "",
) -> Json:
    """An Event that says a thing of `about` at a moment (as Kubernetes writes them).

    `tone` is Normal or Warning. `mark` ends its name: with the same one the server refuses what was
    said already; without one it makes the name.
    """
    key = objects.key(about)
    name = f"{key.name[:_NAME]}."
    return {
        "metadata": {
            **({"name": name + mark} if mark else {"generateName": name}),
            "namespace": key.namespace or "default",
        },
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "namespace": key.namespace,
            "name": key.name,
            "uid": objects.uid(about),
            "resourceVersion": objects.version(about),
        },
        "type": tone,
        "reason": reason,
        "message": message[:_LONGEST],
        "source": {"component": by},
        "reportingComponent": by,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
