"""Becoming the stable version, and beginning an update anew."""

from __future__ import annotations

from fairway.rollout import analysis_runs
from fairway.rollout.draft import Draft


def reset(draft: Draft) -> None:
    """The status as at the beginning of an update."""
    draft.pause.cleared = draft.pause.unaborted = True
    draft.put(None, "promoteFull")
    for name in (
        "prePromotionAnalysisRunStatus",
        "postPromotionAnalysisRunStatus",
        "scaleUpPreviewCheckPoint",
    ):
        draft.put(None, "blueGreen", name)
    for name in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"):
        draft.put(None, "canary", name)
    draft.put(0 if draft.rollout.steps else None, "currentStepIndex")


def reason_to_promote(draft: Draft) -> str:
    """Why the wanted version becomes the stable one now; "" while it does not."""
    if draft.stable is None:
        return "Initial deploy"
    return _canary(draft) if draft.rollout.canary is not None else _blue_green(draft)


def _canary(draft: Draft) -> str:
    new, rollout = draft.new, draft.rollout
    if draft.pause.aborted or new is None or new.available < rollout.replicas:
        return ""
    if rollout.routing is not None and draft.unconfirmed:
        return ""  # what the router does is not known yet
    if new.replicas < rollout.replicas:
        return ""
    if rollout.status.get("promoteFull"):
        return "Full promotion requested"
    if draft.fast_rollback:
        return "Rollback within window" if draft.within_window else "Fast rollback"
    at, count = draft.rollout.status.get("currentStepIndex"), len(rollout.steps)
    return f"Completed all {count} canary steps" if count in (0, at) else ""


def _blue_green(draft: Draft) -> str:
    status, part = draft.status, draft.rollout.blue_green or {}
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if not active:
        return "Initial deploy"
    if active != status.get("currentPodHash"):
        return ""
    if draft.rollout.status.get("promoteFull"):
        return "Full promotion requested"
    if draft.fast_rollback:
        return "Rollback within window" if draft.within_window else "Fast rollback"
    watched = part.get("postPromotionAnalysis") is not None
    if draft.pause.aborted or (watched and not analysis_runs.done(draft, analysis_runs.POST)):
        return ""
    return "Completed blue-green update"


def promote(draft: Draft, reason: str) -> None:
    """Make the wanted version the stable one."""
    draft.pause.cleared = draft.pause.unaborted = True
    draft.put(None, "promoteFull")
    draft.put(None, "blueGreen", "scaleUpPreviewCheckPoint")
    if draft.rollout.canary is not None:
        draft.put(len(draft.rollout.steps) or None, "currentStepIndex")
    current = draft.status.get("currentPodHash")
    if draft.status.get("stableRS") == current:
        return
    draft.put(current, "stableRS")
    revision = draft.new.revision if draft.new else draft.rollout.revision
    words = f"Rollout completed update to revision {revision} ({current}): {reason}"
    draft.tell("RolloutCompleted", words)
