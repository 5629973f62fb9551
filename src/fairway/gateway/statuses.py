"""Statuses as they are to be written: only where they differ, times of change kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.gateway.snapshot import CONTROLLER, Object, Ref

ROUTES: Final = ("HTTPRoute", "GRPCRoute")
# Kinds in whose statuses several controllers write, and the list that they share.
SHARED: Final[Mapping[str, str]] = {
    **dict.fromkeys(ROUTES, "parents"),
    "BackendTLSPolicy": "ancestors",
}


def wanted(status: Mapping[str, Any], found: Object, now: str) -> dict[str, Any] | None:
    """The status to write, None where the object has it already.

    `now` is RFC 3339: when a condition changes its `status`, as far as anybody will know. What
    other controllers say of a route stays.
    """
    before: Mapping[str, Any] = found.get("status") or {}
    merged = {**_kept(before, status), **_timed(status, before, now)}
    for shared in {"parents", "ancestors"} & set(status):
        merged[shared] = [*_others(before, shared), *merged[shared]]
    return None if merged == {**before} else merged


def withdrawn(kind: str, found: Object) -> dict[str, Any] | None:
    """The status of a route or policy that is no longer ours to judge; None where it says nothing
    of ours."""
    before: Mapping[str, Any] = found.get("status") or {}
    shared = SHARED.get(kind, "")
    if not shared or len(others := _others(before, shared)) == len(before.get(shared, ())):
        return None
    return {**before, shared: others}


def _kept(before: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a status that we say nothing about, as they are."""
    return {key: value for key, value in before.items() if key not in status}


def _others(before: Mapping[str, Any], shared: str) -> list[Any]:
    entries: Iterable[Mapping[str, Any]] = before.get(shared) or ()
    return [one for one in entries if one.get("controllerName") != CONTROLLER]


def _timed(new: Mapping[str, Any], old: Mapping[str, Any], now: str) -> dict[str, Any]:
    """`new` with the time of each condition: the old one unless its `status` changed."""
    found: dict[str, Any] = {}
    for key, value in new.items():
        if key == "conditions":
            found[key] = _conditions(value, old.get(key) or (), now)
        elif isinstance(value, list | tuple):
            found[key] = _listed(value, old.get(key) or (), now)
        else:
            found[key] = value
    return found


def _listed(new: Iterable[Any], old: Iterable[Any], now: str) -> list[Any]:
    """Listeners by name, parents by whom they are of; anything else as it is."""
    known = {_identity(one): one for one in old if isinstance(one, Mapping)}
    return [
        _timed(one, known.get(_identity(one), {}), now) if isinstance(one, Mapping) else one
        for one in new
    ]


def _identity(one: Mapping[str, Any]) -> str:
    parent: Mapping[str, Any] = one.get("parentRef") or one.get("ancestorRef") or {}
    said = [one.get("name", ""), one.get("controllerName", ""), *sorted(parent.items())]
    return repr(said)


def _conditions(
    new: Iterable[Mapping[str, Any]], old: Iterable[Mapping[str, Any]], now: str
) -> list[dict[str, Any]]:
    known = {one["type"]: one for one in old}
    found = []
    for condition in new:
        before = known.get(condition["type"])
        same = before is not None and before.get("status") == condition["status"]
        at = before["lastTransitionTime"] if before is not None and same else now
        found.append({**condition, "lastTransitionTime": at})
    return found


def applied(ref: Ref, found: Object, status: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent by server-side apply. Conditional where the list of parents or ancestors is one
    value, in which other controllers write as well."""
    meta = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    if ref.kind in SHARED:
        meta["resourceVersion"] = found["metadata"]["resourceVersion"]
    return {"metadata": meta, "status": {**status}}
