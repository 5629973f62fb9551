"""Services: which version each selects. None is pointed at a version without available pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import objects
from fairway.rollout.draft import Draft, selected
from fairway.rollout.objects import HASH, MANAGED_BY, ReplicaSet
from fairway.rollout.plan import ReleaseService, SwitchService


def switch(draft: Draft, name: str, hash_: str) -> bool:
    """Have a Service select a version; whether it selected another one."""
    service = draft.seen.services.get(name)
    if service is None:
        return False
    before = selected(service)
    managed = objects.notes(service).get(MANAGED_BY) == draft.rollout.name
    if before == hash_ and managed:
        return False
    draft.actions.append(
        SwitchService(name=name, hash=hash_, managed_by="" if managed else draft.rollout.name)
    )
    draft.tell(
        "SwitchService", f"Switched selector for service '{name}' from '{before}' to '{hash_}'"
    )
    return before != hash_


def offer(draft: Draft, name: str, one: ReplicaSet | None) -> bool:
    """Point a Service at a version once that has an available pod; whether it does so now.

    A Service that no Rollout managed before is taken over only when all pods are available.
    """
    service = draft.seen.services.get(name)
    if one is None or service is None or selected(service) == one.hash:
        return False
    if one.available == 0:
        return False
    full = 0 < one.replicas <= one.available
    if MANAGED_BY not in objects.notes(service) and not full:
        return False
    return switch(draft, name, one.hash)


def point(draft: Draft, name: str, one: ReplicaSet | None) -> None:
    """Point a Service at the stable version on the way back, whatever it has available."""
    service = draft.seen.services.get(name)
    if one is not None and service is not None and selected(service) != one.hash:
        switch(draft, name, one.hash)


def of_canary(draft: Draft) -> None:
    """The stable and the canary Service."""
    canary: Mapping[str, Any] = draft.rollout.canary or {}
    offer(draft, str(canary.get("stableService") or ""), draft.stable)
    service = str(canary.get("canaryService") or "")
    if draft.rollout.routing is None:
        offer(draft, service, draft.stable if draft.pause.aborted else draft.new)
    elif (not draft.pause.aborted or draft.rollout.promoted) and not _former_has_traffic(draft):
        offer(draft, service, draft.new)


def _former_has_traffic(draft: Draft) -> bool:
    """Whether the router still gives weight to another canary than the wanted one."""
    weights = draft.rollout.weights
    if weights is None or weights["canary"].get("podTemplateHash") == draft.hash:
        return False
    return weights["canary"]["weight"] > 0 or weights.get("verified") is False


def release(draft: Draft) -> None:
    """Let go of Services that this Rollout managed and names no longer."""
    part = draft.rollout.canary if draft.rollout.canary is not None else draft.rollout.blue_green
    named = {str(value) for name, value in (part or {}).items() if name.endswith("Service")}
    for name in managed_by(draft.rollout.name, draft.seen.services):
        if name not in named:
            draft.actions.append(ReleaseService(name))


def managed_by(rollout: str, services: Mapping[str, Any]) -> list[str]:
    """The Services that say that a Rollout manages them."""
    return [name for name, one in services.items() if objects.notes(one).get(MANAGED_BY) == rollout]


RELEASED: Final = {
    "metadata": {"annotations": {MANAGED_BY: None}},
    "spec": {"selector": {HASH: None}},
}


def patch(action: SwitchService) -> dict[str, Any]:
    """The merge patch of a Service."""
    made: dict[str, Any] = {"spec": {"selector": {HASH: action.hash}}}
    if action.managed_by:
        made["metadata"] = {"annotations": {MANAGED_BY: action.managed_by}}
    return made
