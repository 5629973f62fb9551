"""Conditions of a Rollout: as Argo Rollouts writes them, with its reasons and messages.

A condition is not written again for the same status and reason, but for Progressing, whose time of
update is when there was progress last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import Json
from fairway.rollout import counts, objects, steps
from fairway.rollout.draft import Draft
from fairway.rollout.objects import Moment, condition, written

_INDEFINITE: Final = ("analysis", "pause")


def put(draft: Draft, type_: str, status: str, *, reason: str, message: str) -> bool:
    """Set a condition; False when it is there with that status and reason."""
    before = get(draft, type_)
    if before and (before["status"], before["reason"]) == (status, reason):
        return False
    _write(draft, _made(draft.now, type_, status, reason, message), before)
    return True


def _made(now: Moment, type_: str, status: str, *words: str) -> Json:
    at = written(now)
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": at,
        "lastTransitionTime": at,
        "reason": words[0],
        "message": words[1],
    }


def _write(draft: Draft, made: Json, before: Mapping[str, Any] | None) -> None:
    if before and before["status"] == made["status"]:
        made["lastTransitionTime"] = before["lastTransitionTime"]
    remove(draft, made["type"])
    draft.conditions.append(made)


def get(draft: Draft, type_: str) -> Json | None:
    """A condition as it is by now."""
    return next((one for one in draft.conditions if one["type"] == type_), None)


def remove(draft: Draft, type_: str) -> None:
    """Drop a condition."""
    draft.conditions[:] = [one for one in draft.conditions if one["type"] != type_]


# ---- pauses --------------------------------------------------------------------------------------


def note_pauses(draft: Draft, status: Mapping[str, Any]) -> None:
    """Progressing and Paused say whether it is paused, so that no deadline runs meanwhile."""
    paused = bool(status.get("pauseConditions") or draft.rollout.spec.get("paused"))
    reason = (get(draft, "Progressing") or {}).get("reason")
    aborted = reason == "RolloutAborted"
    stable = status.get("stableRS") or ""
    complete = bool(stable) and stable == status.get("currentPodHash")
    if paused != (reason == "RolloutPaused") and not aborted and not complete:
        words = "Rollout is paused" if paused else "Rollout is resumed"
        kind = "RolloutPaused" if paused else "RolloutResumed"
        put(draft, "Progressing", "Unknown", reason=kind, message=words)
    if aborted and not status.get("abort"):
        words = "Retrying Rollout after abort"
        put(draft, "Progressing", "Unknown", reason="RolloutRetry", message=words)
    before = get(draft, "Paused")
    if paused != bool(before and before["status"] == "True") and not aborted:
        put(draft, "Paused", str(paused), reason="RolloutPaused", message="Rollout is paused")


# ---- progress ------------------------------------------------------------------------------------


def progressed(draft: Draft) -> bool:
    """Whether this decision's status is nearer to the goal than the one before."""
    before, after = draft.rollout.status, draft.status
    if draft.rollout.blue_green is not None:
        old, new = before.get("blueGreen") or {}, after.get("blueGreen") or {}
        names: tuple[str, ...] = ("activeSelector", "previewSelector")
        moved = any((old.get(name) or "") != (new.get(name) or "") for name in names)
    else:
        moved = any(_changed(name) for name in _moves(before, after))
    left = [_n(one, "replicas") - _n(one, "updatedReplicas") for one in (before, after)]
    return (
        moved
        or _n(before, "updatedReplicas") != _n(after, "updatedReplicas")
        or left[1] < left[0]
        or _n(after, "readyReplicas") > _n(before, "readyReplicas")
        or _n(after, "availableReplicas") > _n(before, "availableReplicas")
    )


def _moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    pairs = [
        (before.get(name) or "", after.get(name) or "") for name in ("stableRS", "currentStepHash")
    ]
    old, new = before.get("currentStepIndex"), after.get("currentStepIndex")
    return [*pairs, (old, new)] if old is not None and new is not None else pairs


def _changed(pair: tuple[Any, Any]) -> bool:
    return bool(pair[0] != pair[1])


def _n(status: Mapping[str, Any], name: str) -> int:
    return int(status.get(name) or 0)


def healthy(draft: Draft) -> bool:
    """Whether all wanted pods are of the wanted version, available, and get the traffic."""
    rollout, status = draft.rollout, draft.status
    observed = str(rollout.status.get("observedGeneration") or "")
    if observed != str(rollout.generation):
        return False
    if not _n(status, "updatedReplicas") == _n(status, "availableReplicas") == rollout.replicas:
        return False
    current = status.get("currentPodHash")
    if rollout.blue_green is not None:
        shown = status.get("blueGreen") or {}
        preview = rollout.blue_green.get("previewService")
        return shown.get("activeSelector") == current and (
            not preview or shown.get("previewSelector") == current
        )
    at = status.get("currentStepIndex")
    stepped = not rollout.steps or at is None or at == len(rollout.steps)
    only = _n(status, "replicas") == rollout.replicas
    return stepped and bool(current) and status.get("stableRS") == current and only


def completed(draft: Draft) -> bool:
    """Whether the wanted version is the stable one."""
    stable = draft.status.get("stableRS")
    return bool(stable) and stable == draft.status.get("currentPodHash")


def _indefinite(draft: Draft) -> bool:
    """Whether it may take any time now: a pause or an analysis, or old versions' delay."""
    step = steps.current(draft.rollout) or {}
    if any(step.get(name) is not None for name in _INDEFINITE):
        return True
    paused = get(draft, "Paused")
    if paused and paused["status"] == "True":
        return True
    return any(one.deadline and one.replicas > 0 for one in draft.others)


def timed_out(draft: Draft, found: Mapping[str, Any] | None) -> bool:
    """Whether there was no progress for `progressDeadlineSeconds`; looks again then."""
    if found is None or found["reason"] in ("RolloutAborted", "RolloutPaused"):
        return False
    if found["reason"] == "ProgressDeadlineExceeded":
        return True
    since = objects.moment(str(found["lastUpdateTime"])) or draft.now
    due = objects.after(since, draft.rollout.deadline_s)
    if due < draft.now:
        return True
    draft.later((due - draft.now).total_seconds() + 1)
    return False


def _name(draft: Draft, words: str) -> str:
    if draft.new is not None:
        return f'ReplicaSet "{draft.new.name}" {words}'
    return f'Rollout "{draft.rollout.name}" {words}'


def deadline_abort(draft: Draft) -> None:
    """`progressDeadlineAbort`: an update without progress is aborted, in the same patch."""
    if not draft.rollout.spec.get("progressDeadlineAbort") or draft.pause.aborted:
        return
    if completed(draft) or progressed(draft) or _indefinite(draft):
        return
    if timed_out(draft, draft.rollout.condition("Progressing")):
        draft.pause.abort = _name(draft, "has timed out progressing.")
        draft.tell("RolloutAborted", draft.pause.abort, warning=True)


# ---- all of them ---------------------------------------------------------------------------------


def settle(draft: Draft) -> None:
    """Bring every condition to what the new status says."""
    unhealthy = _healthy(draft)
    if draft.pause.aborted:
        _aborted(draft)
    else:
        _progressing(draft, unhealthy=unhealthy)
    _available(draft)
    failures = draft.new.failures if draft.new else []
    failures = failures or [one for each in draft.sets for one in each.failures]
    if failures:
        first = failures[0]
        put(
            draft,
            "ReplicaFailure",
            first["status"],
            reason=first.get("reason", ""),
            message=first.get("message", ""),
        )
    else:
        remove(draft, "ReplicaFailure")
    _completed(draft)


def _healthy(draft: Draft) -> bool:
    """The condition Healthy; whether it was True until now."""
    paused = draft.status.get("pauseConditions") or draft.rollout.spec.get("paused")
    words = {"reason": "RolloutHealthy"}
    if not paused and healthy(draft):
        put(draft, "Healthy", "True", message="Rollout is healthy", **words)
        return False
    if get(draft, "Healthy") is None:
        return False
    return put(draft, "Healthy", "False", message="Rollout is not healthy", **words)


def _aborted(draft: Draft) -> None:
    message = f"Rollout aborted update to revision {draft.rollout.revision}"
    if draft.pause.abort:
        message += f": {draft.pause.abort}"
    if put(draft, "Progressing", "False", reason="RolloutAborted", message=message):
        draft.tell("RolloutAborted", message, warning=True)


def _progressing(draft: Draft, *, unhealthy: bool) -> None:
    before = get(draft, "Progressing")
    if healthy(draft):
        words = f'ReplicaSet "{draft.new.name if draft.new else ""}" has successfully progressed.'
        put(draft, "Progressing", "True", reason="NewReplicaSetAvailable", message=words)
    elif progressed(draft) or unhealthy:
        reason, words = "ReplicaSetUpdated", _name(draft, "is progressing.")
        if completed(draft) and unhealthy:
            reason, words = "ReplicaSetNotAvailable", "Rollout does not have minimum availability"
        _write(draft, _made(draft.now, "Progressing", "True", reason, words), before)
    elif not _indefinite(draft) and timed_out(draft, before):
        words = _name(draft, "has timed out progressing.")
        put(draft, "Progressing", "False", reason="ProgressDeadlineExceeded", message=words)


def _available(draft: Draft) -> None:
    rollout = draft.rollout
    if rollout.blue_green is not None:
        active = counts.by_hash(
            draft.sets, str((draft.status.get("blueGreen") or {}).get("activeSelector") or "")
        )
        good = active is not None and active.saturated(rollout.replicas)
    else:
        good = objects.available(draft.sets) >= rollout.replicas
    words = "has minimum availability" if good else "does not have minimum availability"
    put(draft, "Available", str(good), reason="AvailableReason", message=f"Rollout {words}")


def _completed(draft: Draft) -> None:
    words = {"reason": "RolloutCompleted", "message": "RolloutCompleted"}
    if completed(draft):
        put(draft, "Completed", "True", **words)
    elif put(draft, "Completed", "False", **words):
        revision = draft.new.revision if draft.new else draft.rollout.revision
        draft.tell(
            "RolloutNotCompleted",
            f"Rollout not completed, started update to revision {revision} "
            f"({draft.status.get('currentPodHash') or ''})",
        )


def invalid(draft: Draft, message: str) -> None:
    """InvalidSpec, written anew when the message is another."""
    before = condition(draft.rollout.status, "InvalidSpec")
    if before is None or before["message"] != message:
        remove(draft, "InvalidSpec")
        put(draft, "InvalidSpec", "True", reason="InvalidSpec", message=message)
