"""The blue/green strategy: a whole second version, one switch, a way back."""

from __future__ import annotations

from fairway.rollout import analysis_runs, counts, objects, pausing, scaling, services
from fairway.rollout.draft import Draft, selected
from fairway.rollout.objects import HASH, ReplicaSet
from fairway.rollout.promoting import promote, reason_to_promote, reset


def settle(draft: Draft) -> None:
    """One decision of blue/green: preview, sizes, pause, switch, analysis, status."""
    part = draft.rollout.blue_green or {}
    preview, active = str(part.get("previewService") or ""), str(part.get("activeService") or "")
    if preview and not draft.halted:
        services.switch(draft, preview, draft.hash)
    shown = {"previewSelector": draft.hash if preview and not draft.halted else None}
    if draft.rollout.current and draft.rollout.current != draft.hash:
        _advance(draft, draft.selects(active), shown)
        return
    scale(draft)
    scaling.clean_up(draft)
    _pause(draft, active)
    now_active = _switch(draft, active)
    analysis_runs.settle(draft)
    _advance(draft, now_active, shown)


def scale(draft: Draft) -> None:
    """Bring the versions to their sizes."""
    scaling.remove_deadlines(draft)
    if draft.stable is not None:
        scaling.scale(draft, draft.stable, draft.rollout.replicas)
    if draft.new is not draft.stable:
        scaling.scale_new(draft)
    elif draft.new is not None:
        scaling.scale(draft, draft.new, draft.rollout.replicas)
    _scale_others(draft)


def _scale_others(draft: Draft) -> None:
    if draft.rollout.paused_for(analysis_runs.INCONCLUSIVE) or _watched(draft):
        return
    kept = 0
    for one in scaling.by_revision(draft.others):
        if one.replicas == 0 or scaling.referenced(draft, one):
            continue
        kept, count = scaling.delay(draft, one, kept, draft.rollout.replicas)
        scaling.scale(draft, one, count)


def _watched(draft: Draft) -> bool:
    """Whether old versions wait for the analysis after the switch instead of for a delay."""
    part = draft.rollout.blue_green or {}
    if part.get("postPromotionAnalysis") is None or part.get("scaleDownDelaySeconds") is not None:
        return False
    if (
        draft.rollout.stable == draft.hash
        or draft.rollout.shown.get("activeSelector") != draft.hash
    ):
        return False
    return not analysis_runs.done(draft, analysis_runs.POST)


# ---- pause and switch ----------------------------------------------------------------------------


def _ready(draft: Draft, new: ReplicaSet) -> bool:
    count = counts.preview_count(draft.rollout, new, draft.sets)
    return new.replicas == count == new.available


def _pause(draft: Draft, active: str) -> None:
    new, rollout = draft.new, draft.rollout
    if new is None or draft.halted or rollout.status.get("abort") or not _ready(draft, new):
        return
    if (
        _fast_tracked(draft, active)
        or rollout.shown.get("scaleUpPreviewCheckPoint")
        or not pausing.needed(draft)
    ):
        draft.pause.removed.add(pausing.BLUE_GREEN)
        return
    if not _pre_done(draft):
        return
    if rollout.paused_for(pausing.BLUE_GREEN) is None:
        if not rollout.status.get("controllerPause"):
            draft.pause.added.append(pausing.BLUE_GREEN)
            draft.later(float((rollout.blue_green or {}).get("autoPromotionSeconds") or 3600))
    elif pausing.blue_green_done(draft):
        draft.pause.removed.add(pausing.BLUE_GREEN)
    else:
        pausing.wait_for_promotion(draft)


def _fast_tracked(draft: Draft, active: str) -> bool:
    """Whether no pause is needed: a quick way back, all at once, or a Service not yet ours."""
    if draft.fast_rollback or draft.rollout.status.get("promoteFull"):
        return True
    service = draft.seen.services.get(active)
    selector = ((service or {}).get("spec") or {}).get("selector") or {}
    return HASH not in selector or selected(service) == draft.hash


def _pre_done(draft: Draft) -> bool:
    part = draft.rollout.blue_green or {}
    if part.get("prePromotionAnalysis") is None:
        return True
    return analysis_runs.done(draft, analysis_runs.PRE)


def _switch(draft: Draft, active: str) -> str:
    """Point the active Service at the version that shall be active; which one it selects then."""
    now, new, rollout = draft.selects(active), draft.new, draft.rollout
    if draft.halted or new is None:
        return now
    if rollout.status.get("abort"):
        return _switch_back(draft, active, now)
    if not _ready(draft, new) or not new.saturated(rollout.replicas):
        return now
    wanted = now
    if _fast_tracked(draft, active) or (pausing.blue_green_done(draft) and _pre_done(draft)):
        wanted = new.hash
    if (wanted and new.available > 0) or rollout.replicas == 0:
        services.switch(draft, active, wanted)
        return wanted
    return now


def _switch_back(draft: Draft, active: str, now: str) -> str:
    """After an abort the stable version is active again, whatever the new one looks like."""
    stable = draft.stable
    if stable is None or now == stable.hash or not (stable.available or not stable.replicas):
        return now
    services.switch(draft, active, stable.hash)
    return stable.hash


# ---- status --------------------------------------------------------------------------------------


def _advance(draft: Draft, active: str, shown: dict[str, str | None]) -> None:
    rollout = draft.rollout
    if rollout.current and rollout.current != draft.hash:
        reset(draft)
    if rollout.status.get("promoteFull") or draft.within_window:
        draft.pause.cleared = draft.pause.unaborted = True
    preview = str((rollout.blue_green or {}).get("previewService") or "")
    draft.put(shown["previewSelector"] or draft.selects(preview), "blueGreen", "previewSelector")
    draft.put(active, "blueGreen", "activeSelector")
    reason = reason_to_promote(draft)
    if reason:
        promote(draft, reason)
    else:
        draft.put(_checkpoint(draft), "blueGreen", "scaleUpPreviewCheckPoint")
    sizes(draft)


def _checkpoint(draft: Draft) -> bool:
    """`previewReplicaCount`: whether the preview has done its part and may grow."""
    count = (draft.rollout.blue_green or {}).get("previewReplicaCount")
    if count is None or draft.new is None:
        return False
    if draft.rollout.shown.get("scaleUpPreviewCheckPoint") and draft.rollout.current == draft.hash:
        return True
    if not _pre_done(draft) or not pausing.blue_green_done(draft):
        return False
    return draft.new.available == int(count)


def sizes(draft: Draft) -> None:
    """Counts and selector are the active version's, for autoscalers."""
    active = counts.by_hash(
        draft.sets, str((draft.status.get("blueGreen") or {}).get("activeSelector") or "")
    )
    if active is None:
        draft.put(sum(one.actual for one in draft.sets), "HPAReplicas")
        draft.put(objects.available(draft.sets), "availableReplicas")
        draft.put(objects.formatted(draft.rollout.selector), "selector")
        return
    draft.put(active.actual, "HPAReplicas")
    draft.put(active.available, "availableReplicas")
    draft.put(active.ready, "readyReplicas")
    selector = (active.obj.get("spec") or {}).get("selector") or {}
    draft.put(objects.formatted(selector), "selector")
