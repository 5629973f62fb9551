"""Kinds of the group argoproj.io. An Application has no health of its own, as in Argo CD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairway.gitops.health.reading import at, items, number, text
from fairway.gitops.objects import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
)

_GENERATION: Final = "rollout.argoproj.io/workload-generation"
_PHASES: Final = {
    "": PROGRESSING,
    "Pending": PROGRESSING,
    "Running": PROGRESSING,
    "Succeeded": HEALTHY,
    "Failed": DEGRADED,
    "Error": DEGRADED,
}
_RUNS: Final = {
    "Pending": (PROGRESSING, "Analysis run is running"),
    "Running": (PROGRESSING, "Analysis run is running"),
    "Successful": (HEALTHY, "Analysis run completed successfully"),
    "Failed": (DEGRADED, "Analysis run failed"),
    "Error": (DEGRADED, "Analysis run had an error"),
    "Inconclusive": (UNKNOWN, "Analysis run was inconclusive"),
}
_BAD_REASONS: Final = {"RolloutAborted", "ProgressDeadlineExceeded"}
Object = Mapping[str, Any]


def workflow(obj: Object) -> Health:
    """A Workflow."""
    phase, said = text(obj, "status", "phase"), text(obj, "status", "message")
    return Health(_PHASES.get(phase, UNKNOWN), said)


def analysis_run(obj: Object) -> Health:
    """An AnalysisRun. A phase that nobody knows has no health, which is Unknown."""
    if at(obj, "status") is None:
        said = "Waiting for analysis run to finish: status has not been reconciled."
        return Health(PROGRESSING, said)
    status, usual = _RUNS.get(text(obj, "status", "phase"), (UNKNOWN, ""))
    said = at(obj, "status", "message")
    return Health(status, usual if said is None or status == PROGRESSING else str(said))


def rollout(obj: Object) -> Health:
    """A Rollout: what its controller says of it, once that has seen what is wanted now."""
    if not _observed(obj):
        return Health(PROGRESSING, "Waiting for rollout spec update to be observed")
    phase = at(obj, "status", "phase")
    if phase is not None:
        said = text(obj, "status", "message")
        return Health(SUSPENDED if phase == "Paused" else str(phase), said)
    for one in items(obj, "status", "conditions"):
        bad = one.get("type") == "Progressing" and one.get("reason") in _BAD_REASONS
        if bad or one.get("type") == "InvalidSpec":
            return Health(DEGRADED, str(one.get("message") or ""))
    if at(obj, "status", "pauseConditions") or at(obj, "spec", "paused"):
        return Health(SUSPENDED, "Rollout is paused")
    waits = next(_waits(obj), "")
    return Health(PROGRESSING, waits) if waits else Health(HEALTHY)


def _observed(obj: Object) -> bool:
    if at(obj, "status") is None:
        return False
    generation = number(obj, "metadata", "generation")
    seen = text(obj, "status", "observedGeneration")
    # What is no number, or a greater one, was written by a controller before 0.10.
    if seen.isdecimal() and int(seen) < generation:
        return False
    notes = at(obj, "metadata", "annotations")
    if at(obj, "spec", "workloadRef") is None or notes is None:
        return True
    return text(notes, _GENERATION) == text(obj, "status", "workloadObservedGeneration")


def _waits(obj: Object) -> Iterator[str]:
    """What a Rollout waits for whose controller writes no phase (before 1.0)."""
    current = at(obj, "status", "currentPodHash")
    if current is None:
        yield "Waiting for rollout to finish: status has not been reconciled."
    wanted = at(obj, "spec", "replicas")
    updated = number(obj, "status", "updatedReplicas")
    if updated < (1 if wanted is None else int(wanted)):
        yield "Waiting for roll out to finish: More replicas need to be updated"
    if number(obj, "status", "availableReplicas") < updated:
        yield "Waiting for roll out to finish: updated replicas are still becoming available"
    yield from _switches(obj, current, updated)


def _switches(obj: Object, current: Any, updated: int) -> Iterator[str]:
    stable = text(obj, "status", "stableRS") or text(obj, "status", "canary", "stableRS")
    if at(obj, "spec", "strategy", "blueGreen") is not None:
        if text(obj, "status", "blueGreen", "activeSelector") != current:
            yield "active service cutover pending"
        if stable and stable != current:
            yield "waiting for analysis to complete"
    elif at(obj, "spec", "strategy", "canary") is not None:
        if number(obj, "status", "replicas") > updated:
            yield "Waiting for roll out to finish: old replicas are pending termination"
        if stable != current:
            yield "Waiting for rollout to finish steps"
