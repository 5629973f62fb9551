"""Kinds of the core group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairway.gitops.health.reading import at, condition, items, text
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Health

_CLAIMS: Final = {"Lost": DEGRADED, "Pending": PROGRESSING, "Bound": HEALTHY}
Object = Mapping[str, Any]


def service(obj: Object) -> Health:
    """A Service: a load balancer's needs an address."""
    balanced = text(obj, "spec", "type") == "LoadBalancer"
    waits = balanced and not at(obj, "status", "loadBalancer", "ingress")
    return Health(PROGRESSING if waits else HEALTHY)


def claim(obj: Object) -> Health:
    """A PersistentVolumeClaim."""
    return Health(_CLAIMS.get(text(obj, "status", "phase"), UNKNOWN))


def pod(obj: Object) -> Health:
    """A Pod. One that is not restarted for ever ends by itself: a container that waits with an
    error does not fail it, or a hook would be given up while its image is still to come.
    """
    forever = text(obj, "spec", "restartPolicy") == "Always"
    stuck = list(_stuck(obj)) if forever else []
    if stuck:
        return Health(DEGRADED, ", ".join(stuck))
    phase, said = text(obj, "status", "phase"), text(obj, "status", "message")
    if phase == "Pending":
        return Health(PROGRESSING, said)
    if phase == "Succeeded":
        return Health(HEALTHY, said)
    if phase == "Failed":
        return Health(DEGRADED, said or next(_failures(obj), ""))
    if phase == "Running":
        return _running(obj, said)
    return Health(UNKNOWN, said)


def _running(obj: Object, said: str) -> Health:
    policy = text(obj, "spec", "restartPolicy")
    if policy in {"OnFailure", "Never"}:
        return Health(PROGRESSING, said)
    if policy != "Always":
        return Health(UNKNOWN, said)
    ready = condition(obj, "Ready")
    if ready is not None and ready.get("status") == "True":
        return Health(HEALTHY, said)
    containers = items(obj, "status", "containerStatuses")
    ended = any(at(one, "lastState", "terminated") is not None for one in containers)
    return Health(DEGRADED if ended else PROGRESSING, said)


def _stuck(obj: Object) -> Iterator[str]:
    for one in items(obj, "status", "containerStatuses"):
        waiting = at(one, "state", "waiting")
        reason = text(waiting or {}, "reason")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            yield text(waiting, "message")


def _failures(obj: Object) -> Iterator[str]:
    for part in ("initContainerStatuses", "containerStatuses"):
        for one in items(obj, "status", part):
            ended = at(one, "state", "terminated") or {}
            said = str(ended.get("message") or "")
            if not said and ended.get("reason") == "OOMKilled":
                said = "OOMKilled"
            if not said and ended.get("exitCode"):
                called = text(one, "name")
                said = f'container "{called}" failed with exit code {ended["exitCode"]}'
            if said:
                yield said
