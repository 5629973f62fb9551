"""Conditions of Gateway API objects, as plain dicts without a time."""

from __future__ import annotations

from typing import Any, NamedTuple

Condition = dict[str, Any]


class Verdict(NamedTuple):
    """Whether something holds, the reason in the API's words, and a sentence."""

    holds: bool
    reason: str
    message: str = ""


def condition(kind: str, verdict: Verdict, generation: int) -> Condition:
    """A condition of an object in its present generation."""
    return {
        "type": kind,
        "status": "True" if verdict.holds else "False",
        "reason": verdict.reason,
        "message": verdict.message[:32768],
        "observedGeneration": generation,
    }


def yes(reason: str, message: str = "") -> Verdict:
    """It holds."""
    return Verdict(holds=True, reason=reason, message=message)


def no(reason: str, message: str) -> Verdict:
    """It does not hold."""
    return Verdict(holds=False, reason=reason, message=message)
