"""Traffic of a routed canary: which weight is wanted now, and the order shift → confirm.

No weight for a canary without available pods, no shift to a stable version that lacks pods, and
what a former canary got goes to zero before the new one takes its place.
"""

from __future__ import annotations

from typing import Any

from fairway.kube import Json
from fairway.rollout import counts, services, steps
from fairway.rollout.draft import Draft
from fairway.rollout.objects import MAX_WEIGHT
from fairway.rollout.router import Confirmed, Router


def route(draft: Draft, router: Router) -> None:
    """Bring the traffic to where it shall be, as far as what is observed allows it."""
    rollout, routes = draft.rollout, draft.seen.routes
    if rollout.routing is None:
        draft.put(None, "canary", "weights")
        return
    weight = _wanted(draft)
    if not _stable_can_serve(draft, MAX_WEIGHT - weight):
        draft.unconfirmed = True
        _leave_canary(draft)
        return
    problem = router.problem(rollout, routes)
    if problem:
        draft.tell("TrafficRoutingError", problem, warning=True)
        draft.unconfirmed = True
        draft.later(10)
        return
    draft.actions.extend(router.shift(rollout, routes, weight))
    _leave_canary(draft)
    live = router.confirmed(rollout, routes, weight) is Confirmed.YES
    draft.unconfirmed = not live
    _remember(draft, weight, live=live)


def _wanted(draft: Draft) -> int:
    """The canary's weight, as Argo Rollouts decides it."""
    rollout, new = draft.rollout, draft.new
    if rollout.promoted or draft.pause.aborted or new is None or new.available == 0:
        return 0
    if rollout.status.get("promoteFull"):
        before = rollout.weights
        return int(before["canary"]["weight"]) if before else 0
    at = steps.index(rollout)
    if at is None:
        return 0
    if not counts.at_desired(rollout, new, draft.stable, draft.others):
        return steps.set_weight(rollout, before=True)
    return MAX_WEIGHT if at >= len(rollout.steps) else steps.current_weight(rollout)


def _stable_can_serve(draft: Draft, weight: int) -> bool:
    wanted = weight * draft.rollout.replicas // MAX_WEIGHT
    return draft.stable is not None and draft.stable.available >= wanted


def _leave_canary(draft: Draft) -> None:
    """After an abort the canary's Service points at the stable version: what the router still
    sends there is answered by that, however few of its pods are available."""
    if draft.pause.aborted and not draft.rollout.promoted and draft.stable is not None:
        name = str((draft.rollout.canary or {}).get("canaryService") or "")
        if draft.stable.available:
            services.point(draft, name, draft.stable)


def _remember(draft: Draft, weight: int, *, live: bool) -> None:
    """`status.canary.weights`, with an event when they change."""
    canary, before = draft.rollout.canary or {}, draft.rollout.weights
    after: Json = {
        "canary": _side(weight, draft.hash, canary.get("canaryService")),
        "stable": _side(
            MAX_WEIGHT - weight,
            draft.stable.hash if draft.stable else "",
            canary.get("stableService"),
        ),
        "verified": live,
    }
    if before is None:
        draft.tell("TrafficWeightUpdated", f"Traffic weight updated to {weight}")
    elif any(before[side] != after[side] for side in ("canary", "stable")):
        was = before["canary"]["weight"]
        change = f"from {was} to {weight}" if was != weight else ""
        draft.tell("TrafficWeightUpdated", f"Traffic weight updated {change}")
    draft.status.setdefault("canary", {})["weights"] = after


def _side(weight: int, hash_: str, service: Any) -> Json:
    return {"weight": weight, "podTemplateHash": hash_, "serviceName": str(service or "")}
