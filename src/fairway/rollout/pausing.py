"""Pauses and aborts in a Rollout's status.

The controller's pause is a condition with a reason and `controllerPause`; `controllerPause` without
a condition means that a person resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import Json
from fairway.rollout import objects, steps
from fairway.rollout.draft import Draft
from fairway.rollout.objects import written

CANARY: Final = "CanaryPauseStep"
BLUE_GREEN: Final = "BlueGreenPause"


def settle(draft: Draft) -> None:
    """Write what was decided: aborted, paused for which reasons, or neither."""
    before, pause = draft.rollout.status, draft.pause
    for name in ("abort", "abortedAt", "pauseConditions", "controllerPause"):
        draft.put(None, name)
    if pause.aborted:
        draft.put(True, "abort")  # noqa: FBT003 a field's value
        draft.put(before.get("abortedAt") or written(draft.now), "abortedAt")
        return
    if pause.cleared:
        return
    there: list[Json] = list(before.get("pauseConditions") or ())
    kept = [one for one in there if one["reason"] not in pause.removed]
    reasons = {one["reason"] for one in there}
    added = [
        {"reason": reason, "startTime": written(draft.now)}
        for reason in dict.fromkeys(pause.added)
        if reason not in reasons
    ]
    if kept or added:
        draft.put([*kept, *added], "pauseConditions")
        draft.put(bool(added) or bool(before.get("controllerPause")), "controllerPause")


def tell(draft: Draft) -> None:
    """An event when it is paused now, or no longer."""
    before = draft.rollout.status.get("pauseConditions") or ()
    after = draft.status.get("pauseConditions") or ()
    if after and not before:
        draft.tell("RolloutPaused", f"Rollout is paused ({after[0]['reason']})")
    elif before and not after and not draft.status.get("abortedAt"):
        draft.tell("RolloutResumed", "Rollout is resumed")


# ---- a canary's pause step -----------------------------------------------------------------------


def canary(draft: Draft) -> bool:
    """Begin the pause of the current step, or wait for its end; whether it is such a step."""
    rollout, step = draft.rollout, steps.current(draft.rollout)
    if rollout.spec.get("paused") or rollout.status.get("promoteFull"):
        return False
    if step is None or step.get("pause") is None:
        return False
    found = rollout.paused_for(CANARY)
    if found is None:
        if not rollout.status.get("controllerPause"):
            draft.pause.added.append(CANARY)
        return True
    duration = step["pause"].get("duration")
    if duration is not None:
        draft.until(_end(found, steps.seconds(duration)))
    return True


def _end(found: Mapping[str, Any], seconds: float) -> objects.Moment:
    began = objects.moment(str(found["startTime"]))
    if began is None:  # it cannot be read: the pause lasts until somebody ends it
        return objects.NEVER
    return objects.after(began, seconds)


def canary_done(draft: Draft, pause: Mapping[str, Any]) -> bool:
    """Whether the pause step is over: a person resumed, or its time has passed."""
    found, duration = draft.rollout.paused_for(CANARY), pause.get("duration")
    if found is None:
        return bool(draft.rollout.status.get("controllerPause"))
    return duration is not None and draft.now >= _end(found, steps.seconds(duration))


# ---- blue/green ----------------------------------------------------------------------------------


def needed(draft: Draft) -> bool:
    """Whether the strategy pauses before the switch at all."""
    part = draft.rollout.blue_green or {}
    return part.get("autoPromotionEnabled") is False or _seconds(part) > 0


def _seconds(part: Mapping[str, Any]) -> int:
    return int(part.get("autoPromotionSeconds") or 0)


def wait_for_promotion(draft: Draft) -> None:
    """Look again when `autoPromotionSeconds` are over."""
    found, part = draft.rollout.paused_for(BLUE_GREEN), draft.rollout.blue_green or {}
    if found is not None and _seconds(part) > 0:
        draft.until(_end(found, _seconds(part)))


def blue_green_done(draft: Draft) -> bool:
    """Whether the pause before the switch is over, or there is none."""
    rollout, part = draft.rollout, draft.rollout.blue_green or {}
    found = rollout.paused_for(BLUE_GREEN)
    if draft.pause.added:
        return False
    if rollout.shown.get("scaleUpPreviewCheckPoint"):
        return True
    if part.get("autoPromotionEnabled") is False:
        return bool(rollout.status.get("controllerPause")) and found is None
    if _seconds(part) == 0:
        return True
    if found is None:
        return bool(rollout.status.get("controllerPause"))
    return draft.now >= _end(found, _seconds(part))
