"""Phase and message of a Rollout: what people and programs wait for. The words are an API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.rollout.objects import Rollout, condition

Told = tuple[str, str]
_NUMBERS = ("replicas", "updatedReplicas", "availableReplicas")


def phase(rollout: Rollout, status: Mapping[str, Any]) -> Told:
    """Phase and message for a status of this Rollout."""
    return (
        _degraded(status)
        or _paused(rollout, status)
        or _incomplete(rollout, status)
        or _pending(rollout, status)
        or ("Healthy", "")
    )


def _degraded(status: Mapping[str, Any]) -> Told | None:
    for one in status.get("conditions") or ():
        if one["type"] == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {one['message']}"
        if one["reason"] in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return "Degraded", f"{one['reason']}: {one['message']}"
    return None


def _paused(rollout: Rollout, status: Mapping[str, Any]) -> Told | None:
    if rollout.spec.get("paused"):
        return "Paused", "manually paused"
    reasons = status.get("pauseConditions") or ()
    return ("Paused", str(reasons[0]["reason"])) if reasons else None


def _incomplete(rollout: Rollout, status: Mapping[str, Any]) -> Told | None:
    actual, updated, ready = (int(status.get(name) or 0) for name in _NUMBERS)
    if updated < rollout.replicas:
        return "Progressing", "more replicas need to be updated"
    if ready < updated:
        return "Progressing", "updated replicas are still becoming available"
    if rollout.canary is not None and rollout.routing is None and actual > updated:
        return "Progressing", "old replicas are pending termination"
    return None


def _pending(rollout: Rollout, status: Mapping[str, Any]) -> Told | None:
    stable, current = status.get("stableRS") or "", status.get("currentPodHash") or ""
    promoted = bool(stable) and stable == current
    if rollout.blue_green is None:
        return None if promoted else ("Progressing", "waiting for all steps to complete")
    shown = status.get("blueGreen") or {}
    if not shown.get("activeSelector") or shown["activeSelector"] != current:
        return "Progressing", "active service cutover pending"
    if promoted:
        return None
    if rollout.blue_green.get("postPromotionAnalysis") is not None:
        run = shown.get("postPromotionAnalysisRunStatus") or {}
        if run.get("status") not in ("Successful", "Failed", "Error", "Inconclusive"):
            return "Progressing", "waiting for analysis to complete"
    return "Progressing", "waiting for post-promotion verification to complete"


def shown(obj: Mapping[str, Any]) -> Told:
    """What a client shows: not yet observed changes come before what the status says."""
    rollout = Rollout(obj)
    observed = str(rollout.status.get("observedGeneration") or "")
    if observed.isdigit() and int(observed) < rollout.generation:
        return "Progressing", "waiting for rollout spec update to be observed"
    if rollout.status.get("controllerPause") and not rollout.status.get("pauseConditions"):
        return "Progressing", "waiting for rollout to unpause"
    return str(rollout.status.get("phase") or ""), str(rollout.status.get("message") or "")


def available(status: Mapping[str, Any]) -> bool:
    """Whether a Rollout says that it has its minimum availability."""
    found = condition(status, "Available")
    return found is not None and found["status"] == "True"
