"""Which finished AnalysisRuns of a Rollout are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.kube import objects

POD_HASH: Final = "rollouts-pod-template-hash"
_UNSUCCESSFUL: Final = frozenset({"Failed", "Error", "Inconclusive"})


def to_delete(
    runs: Iterable[Mapping[str, Any]],
    replica_sets: Iterable[Mapping[str, Any]],
    *,
    successful: int = 5,
    unsuccessful: int = 5,
) -> list[str]:
    """Names of the runs to delete, of those that are not the Rollout's current ones.

    Kept are the newest `successful` and `unsuccessful` ones, and what has not ended; gone are those
    whose ReplicaSet is gone or going.
    """
    alive = {
        objects.labels(each).get(POD_HASH): not objects.deleting(each) for each in replica_sets
    }
    left = {"Successful": successful, "": unsuccessful}
    found = []
    for run in sorted(runs, key=_created, reverse=True):
        of = objects.labels(run).get(POD_HASH)
        phase = (run.get("status") or {}).get("phase") or ""
        kept = of is not None and alive.get(of, False)
        if kept and (phase == "Successful" or phase in _UNSUCCESSFUL):
            group = phase if phase == "Successful" else ""
            kept = left[group] > 0
            left[group] -= 1
        if not kept:
            found.append(objects.key(run).name)
    return found


def _created(run: Mapping[str, Any]) -> str:
    return str((run.get("metadata") or {}).get("creationTimestamp") or "")
