"""Gateways and routes, as Argo CD's bundled rules for them judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.gitops.health.reading import at, items, text
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, Health

_REFUSALS: Final = ("ResolvedRefs", "Accepted")
Object = Mapping[str, Any]


def gateway(obj: Object) -> Health:
    """A Gateway and its listeners."""
    whole = at(obj, "status", "conditions")
    listeners = list(items(obj, "status", "listeners"))
    found = _judged(obj.get("status") or {}, "", "Gateway")
    for one in listeners:
        found = found or _judged(one, "Listener: ", "Listener")
    if found is not None:
        return found
    if whole is not None or listeners:
        return Health(HEALTHY, "Gateway is healthy")
    return Health(PROGRESSING, "Waiting for Gateway status")


def route(obj: Object) -> Health:
    """An HTTPRoute or a GRPCRoute: what its parents say of it as it is now."""
    kind = str(obj.get("kind"))
    current = [one for one in items(obj, "status", "parents") if _is_current(obj, one)]
    for parent in current:
        head = f"Parent {text(parent, 'parentRef', 'name')}: "
        found = _judged(parent, head, "Route")
        if found is not None:
            return found
    if any(parent.get("conditions") for parent in current):
        return Health(HEALTHY, f"{kind} is healthy")
    return Health(PROGRESSING, f"Waiting for {kind} status")


def _is_current(obj: Object, parent: Object) -> bool:
    generation = at(obj, "metadata", "generation")
    if generation is None:
        return True
    conditions = list(items(parent, "conditions"))
    seen = [one.get("observedGeneration") for one in conditions]
    return bool(conditions) and all(one in (None, generation) for one in seen)


def _judged(holder: Object, head: str, kind: str) -> Health | None:
    """What conditions say against it; None when they say nothing."""
    conditions = list(items(holder, "conditions"))
    for name in _REFUSALS:
        for one in conditions:
            if one.get("type") == name and one.get("status") == "False":
                return Health(DEGRADED, head + _said(one, f"Failed condition: {name}"))
    for one in conditions:
        if one.get("type") == "Programmed" and one.get("status") != "True":
            return Health(PROGRESSING, head + _said(one, f"{kind} is still being programmed"))
    return None


def _said(condition: Object, usual: str) -> str:
    found = condition.get("message")
    return usual if found is None else str(found)
