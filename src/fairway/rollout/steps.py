"""A canary's steps: which one it is at, and what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fairway.kit import goduration
from fairway.rollout.objects import MAX_WEIGHT, Rollout, given

Step = Mapping[str, Any]


def seconds(duration: Any) -> int:
    """A pause's duration: a number, digits, or Go's `1h30m`; -1 for what is none of these."""
    if isinstance(duration, int):
        return duration
    text = str(duration)
    if re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        return int(text)
    try:
        return int(goduration.seconds(text))
    except ValueError:
        return -1


def index(rollout: Rollout) -> int | None:
    """Where the Rollout is in its steps; None where it has none. It may be past the last one."""
    if not rollout.steps:
        return None
    return given(rollout.status.get("currentStepIndex"), 0)


def current(rollout: Rollout) -> Step | None:
    """The step that is being taken; None without steps and after the last one."""
    at = index(rollout)
    return rollout.steps[at] if at is not None and at < len(rollout.steps) else None


def set_weight(rollout: Rollout, *, before: bool = False) -> int:
    """The weight of the last setWeight up to the current step, or before it."""
    at = index(rollout)
    if at is None or (not before and at >= len(rollout.steps)):
        return MAX_WEIGHT
    for step in reversed(rollout.steps[: at if before else at + 1]):
        if step.get("setWeight") is not None:
            return int(step["setWeight"])
    return 0


def current_weight(rollout: Rollout) -> int:
    """The weight that the steps ask for now; 0 for an aborted update."""
    return 0 if rollout.status.get("abort") else set_weight(rollout)


def canary_scale(rollout: Rollout) -> Mapping[str, Any] | None:
    """The setCanaryScale that counts now; None where the weight decides."""
    at = index(rollout)
    if rollout.routing is None or at is None or at >= len(rollout.steps):
        return None
    if rollout.status.get("abort") and rollout.abort_delay_s is not None:
        return None  # an aborted canary is left as it is only when it is to stay for ever
    for step in reversed(rollout.steps[: at + 1]):
        scale: Mapping[str, Any] | None = step.get("setCanaryScale")
        if scale is not None:
            return None if scale.get("matchTrafficWeight") else scale
    return None


def before_analysis(rollout: Rollout) -> bool:
    """Whether the background analysis starts at a later step."""
    starting = ((rollout.canary or {}).get("analysis") or {}).get("startingStep")
    at = index(rollout)
    return starting is not None and at is not None and at < starting


def words(step: Step) -> str:
    """A step as its event tells it."""
    if step.get("setWeight") is not None:
        return f"setWeight: {step['setWeight']}"
    if step.get("pause") is not None:
        duration = step["pause"].get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    if step.get("analysis") is not None:
        return "analysis"
    return _scale_words(step.get("setCanaryScale") or {})


def _scale_words(scale: Mapping[str, Any]) -> str:
    if scale.get("weight") is not None:
        return f"setCanaryScale{{weight: {scale['weight']}}}"
    if scale.get("matchTrafficWeight"):
        return "setCanaryScale{matchTrafficWeight: true}"
    if scale.get("replicas") is not None:
        return f"setCanaryScale{{replicas: {scale['replicas']}}}"
    return "invalid"
