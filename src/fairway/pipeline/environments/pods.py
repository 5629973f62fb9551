"""Whether a namespace's workloads may be relied on, by what the cluster says of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fairway.pipeline.environments.health import State, Verdict

Json = Mapping[str, Any]
_CRASHES: Final = 3  # so often a container may end before it counts as one that cannot run,
_PATIENCE: Final = timedelta(seconds=25)  # and so long: some wait for their database by crashing
_IN_VAIN: Final = frozenset(
    ("ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError",
     "CreateContainerError", "RunContainerError")
)  # fmt: skip
_NO_IMAGE: Final = re.compile(
    r"not found|denied|unauthorized|manifest unknown|no such host|invalid|forbidden", re.IGNORECASE
)


def of_pod(pod: Json) -> Verdict:
    """A pod by its own status."""
    meta, status = pod.get("metadata") or {}, pod.get("status") or {}
    name = str(meta.get("name", ""))
    phase = status.get("phase")
    if phase == "Succeeded":
        return Verdict(name, State.ENDED, "it ended (0)")
    lost = _lost(status)
    if lost:
        return Verdict(name, State.FAILED, lost)
    if phase == "Failed":
        return Verdict(name, State.FAILED, str(status.get("message") or "it ended badly"))
    if _is(status, "Ready"):
        return Verdict(name, State.READY)
    return Verdict(name, State.WAITING, _why(status))


def _containers(status: Json) -> Iterable[Json]:
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _lost(status: Json) -> str:
    """Why waiting for a pod is in vain; "" while it is not."""
    for one in _containers(status):
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), str(waiting.get("message") or "")
        if reason in _IN_VAIN or (reason == "ErrImagePull" and _NO_IMAGE.search(message)):
            return f"container {one['name']}, image {one.get('image', '')}: {reason}: {message}"
        if int(one.get("restartCount") or 0) >= _CRASHES and _long_enough(one, status):
            return f"container {one['name']} ended {one['restartCount']} times{_last(one)}"
    return ""


def _long_enough(one: Json, status: Json) -> bool:
    """Whether it ended once more after all that time; a cluster that gives no times is believed."""
    begun, ended = status.get("startTime"), _terminated(one).get("finishedAt")
    if not begun or not ended:
        return True
    return datetime.fromisoformat(ended) - datetime.fromisoformat(begun) >= _PATIENCE


def _terminated(one: Json) -> Json:
    """How the last of its runs ended; {} when none did."""
    for state in (one.get("state") or {}, one.get("lastState") or {}):
        if ended := state.get("terminated"):
            found: Json = ended
            return found
    return {}


def _last(one: Json) -> str:
    ended = _terminated(one)
    if not ended:
        return ""
    return f", the last time with {ended.get('exitCode')} ({ended.get('reason', '')})"


def _why(status: Json) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("status") != "True" and condition.get("message"):
            return str(condition["message"])
    for one in _containers(status):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return f"container {one['name']}: {waiting['reason']}"
    return "it is not ready yet"


def _is(status: Json, kind: str) -> bool:
    conditions = status.get("conditions") or []
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)


def of_workload(obj: Json) -> Verdict:
    """A Deployment, StatefulSet, DaemonSet, Job or bare Pod as a whole."""
    kind, meta = str(obj.get("kind")), obj.get("metadata") or {}
    name = f"{kind} {meta.get('name')}"
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if kind == "Pod":
        one = of_pod(obj)
        return Verdict(name, one.state, one.why)
    if kind == "Job":
        return _job(name, spec, status)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Verdict(name, State.FAILED, str(condition.get("message")))
    wanted = _wanted(kind, spec, status)
    seen = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    updated = int(status.get(_UPDATED[kind]) or 0)
    ready = int(status.get(_READY[kind]) or 0)
    former = int(status.get("replicas") or 0) - updated if kind in _REPLACED else 0
    if seen and min(updated, ready) >= wanted and former <= 0:
        return Verdict(name, State.READY)
    old = f", {former} of before are left" if former > 0 else ""
    return Verdict(name, State.WAITING, f"{ready} of {wanted} pods are ready{old}")


_UPDATED: Final = {
    "Deployment": "updatedReplicas",
    "StatefulSet": "updatedReplicas",
    "DaemonSet": "updatedNumberScheduled",
    "ReplicaSet": "replicas",
}
_READY: Final = {
    "Deployment": "readyReplicas",
    "StatefulSet": "readyReplicas",
    "DaemonSet": "numberReady",
    "ReplicaSet": "readyReplicas",
}
_REPLACED: Final = ("Deployment", "StatefulSet")
"""Ready pods may still be those of before: it is well once none of them is left."""
WORKLOADS: Final = (*_READY, "Job", "Pod")


def _wanted(kind: str, spec: Json, status: Json) -> int:
    if kind == "DaemonSet":
        return int(status.get("desiredNumberScheduled") or 0)
    return int(spec.get("replicas", 1))


def _job(name: str, spec: Json, status: Json) -> Verdict:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            return Verdict(name, State.FAILED, str(condition.get("message")))
    if _is(status, "Complete") or spec.get("suspend"):
        return Verdict(name, State.ENDED)
    return Verdict(name, State.WAITING, "it has not completed yet")
