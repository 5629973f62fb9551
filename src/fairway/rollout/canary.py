"""The canary strategy: a version takes over step by step."""

from __future__ import annotations

from fairway.rollout import analysis_runs, counts, objects, pausing, scaling, services, steps
from fairway.rollout import traffic as shifting
from fairway.rollout.draft import Draft
from fairway.rollout.objects import ReplicaSet
from fairway.rollout.promoting import promote, reason_to_promote, reset
from fairway.rollout.router import Router


def settle(draft: Draft, router: Router) -> None:
    """One decision of a canary: traffic, analysis, sizes, pause, status."""
    if restarts(draft):
        _restart(draft)
        return
    scaling.clean_up(draft)
    services.of_canary(draft)
    shifting.route(draft, router)
    analysis_runs.settle(draft)
    if not draft.pause.added and not scale(draft):
        pausing.canary(draft)
    _advance(draft)


def only_sizes(draft: Draft) -> None:
    """What is left of it when the number of wanted pods changed."""
    scale(draft)


# ---- a new beginning -----------------------------------------------------------------------------


def restarts(draft: Draft) -> bool:
    """Whether the template or the list of steps changed."""
    before = draft.rollout.status.get("currentStepHash")
    if not before or before != draft.status.get("currentStepHash"):
        return True
    return bool(draft.rollout.current) and draft.rollout.current != draft.hash


def _restart(draft: Draft) -> None:
    """Back to the first step; or past the last one, when it goes back to what was good."""
    reset(draft)
    rollout = draft.rollout
    if draft.new is None or not rollout.steps:
        return
    if rollout.stable == draft.hash:
        draft.tell("SkipSteps", "Rollback to stable ReplicaSets")
        draft.put(len(rollout.steps), "currentStepIndex")
    elif draft.within_window and draft.new.replicas > 0:
        draft.tell("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
        draft.put(len(rollout.steps), "currentStepIndex")


# ---- sizes ---------------------------------------------------------------------------------------


def scale(draft: Draft) -> bool:
    """Bring the versions to their sizes, one kind at a time; whether anything was scaled."""
    if draft.halted:
        return False
    scaling.remove_deadlines(draft)
    if counts.distinct(draft.new, draft.stable) and draft.stable is not None:
        count = counts.wanted(draft.rollout, draft.new, draft.stable, draft.others)[1]
        if scaling.scale(draft, draft.stable, count):
            return True
    return scaling.scale_new(draft) or _scale_others(draft)


def _scale_others(draft: Draft) -> bool:
    """Older versions go, within what must stay available."""
    old = [one for one in draft.others if one.replicas > 0]
    if not old:
        return False
    scaled = _drop_unavailable(draft, old)
    least = draft.rollout.replicas - counts.max_unavailable(draft.rollout)
    spare = objects.available(draft.sets) - least
    kept = 0
    for one in scaling.by_revision(old):
        if spare <= 0:
            break
        if one.replicas == 0 or (draft.rollout.routing and scaling.referenced(draft, one)):
            continue
        count, kept = _old_size(draft, one, spare, kept)
        before = one.replicas
        if scaling.scale(draft, one, count):
            scaled = True
            spare -= before - count
    return scaled


def _drop_unavailable(draft: Draft, old: list[ReplicaSet]) -> bool:
    """Pods of old versions that do not serve go first."""
    scaled = False
    for one in sorted(old, key=lambda one: one.created):
        if draft.rollout.routing and scaling.referenced(draft, one):
            continue
        if one.replicas > one.available:
            scaled |= scaling.scale(draft, one, one.available)
    return scaled


def _old_size(draft: Draft, one: ReplicaSet, spare: int, kept: int) -> tuple[int, int]:
    if draft.rollout.routing is None:
        return max(0, one.replicas - spare), kept
    if draft.unconfirmed:
        return one.replicas, kept  # shift, confirm, then scale
    if draft.rollout.promoted or one.deadline:
        kept, count = scaling.delay(draft, one, kept, one.replicas)
        return count, kept
    return 0, kept  # from an update that another one overtook: it gets no traffic


# ---- steps ---------------------------------------------------------------------------------------


def _advance(draft: Draft) -> None:
    """The step index, and the promotion after the last step."""
    rollout, status = draft.rollout, draft.status
    at, count = steps.index(rollout), len(rollout.steps)
    if rollout.status.get("promoteFull") or draft.within_window:
        draft.pause.cleared = draft.pause.unaborted = True
        at = count or at
    reason = reason_to_promote(draft)
    if reason:
        promote(draft, reason)
        return
    if draft.pause.aborted:
        if count:
            back = status.get("stableRS") == status.get("currentPodHash")
            draft.put(count if back else 0, "currentStepIndex")
        return
    step = steps.current(rollout)
    if at is not None and step is not None and at < count and _completed(draft, step):
        at += 1
        draft.put(None, "canary", "currentStepAnalysisRunStatus")
        words = f"Rollout step {at}/{count} completed ({steps.words(step)})"
        draft.tell("RolloutStepCompleted", words)
        draft.pause.removed.add(pausing.CANARY)
    draft.put(at, "currentStepIndex")


def _completed(draft: Draft, step: steps.Step) -> bool:
    if draft.rollout.spec.get("paused") or draft.pause.added:
        return False
    if step.get("pause") is not None:
        return pausing.canary_done(draft, step["pause"])
    if step.get("analysis") is not None:
        return analysis_runs.done(draft, analysis_runs.STEP)
    if not counts.at_desired(draft.rollout, draft.new, draft.stable, draft.others):
        return False
    return step.get("setWeight") is None or not draft.unconfirmed
