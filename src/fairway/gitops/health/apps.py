"""Workloads that run until they are told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.gitops.health.reading import at, condition, name, number, text
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, Health

_WAITING: Final = "Waiting for rollout to finish: "
Object = Mapping[str, Any]


def _behind(obj: Object) -> bool:
    """Whether its controller has not seen what is wanted now."""
    return number(obj, "metadata", "generation") > number(obj, "status", "observedGeneration")


def deployment(obj: Object) -> Health:
    """A Deployment."""
    if at(obj, "spec", "paused"):
        return Health(SUSPENDED, "Deployment is paused")
    if _behind(obj):
        said = "observed deployment generation less than desired generation"
        return Health(PROGRESSING, _WAITING + said)
    progress = condition(obj, "Progressing") or {}
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return Health(DEGRADED, f"Deployment {name(obj)} exceeded its progress deadline")
    waits = _deployment_waits(obj)
    return Health(PROGRESSING, _WAITING + waits) if waits else Health(HEALTHY)


def _deployment_waits(obj: Object) -> str:
    wanted, updated = at(obj, "spec", "replicas"), number(obj, "status", "updatedReplicas")
    there = number(obj, "status", "replicas")
    available = number(obj, "status", "availableReplicas")
    if wanted is not None and updated < int(wanted):
        return f"{updated} out of {wanted} new replicas have been updated..."
    if there > updated:
        return f"{there - updated} old replicas are pending termination..."
    if available < updated:
        return f"{available} of {updated} updated replicas are available..."
    return ""


def replica_set(obj: Object) -> Health:
    """A ReplicaSet."""
    if _behind(obj):
        said = "observed replica set generation less than desired generation"
        return Health(PROGRESSING, _WAITING + said)
    failure = condition(obj, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return Health(DEGRADED, str(failure.get("message") or ""))
    wanted, available = at(obj, "spec", "replicas"), number(obj, "status", "availableReplicas")
    if wanted is not None and available < int(wanted):
        said = f"{available} out of {wanted} new replicas are available..."
        return Health(PROGRESSING, _WAITING + said)
    return Health(HEALTHY)


def daemon_set(obj: Object) -> Health:
    """A DaemonSet."""
    if _behind(obj):
        said = "observed daemon set generation less than desired generation"
        return Health(PROGRESSING, _WAITING + said)
    updated = number(obj, "status", "updatedNumberScheduled")
    wanted = number(obj, "status", "desiredNumberScheduled")
    available = number(obj, "status", "numberAvailable")
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return Health(HEALTHY, f"daemon set {updated} out of {wanted} new pods have been updated")
    head = f"Waiting for daemon set {name(obj)} rollout to finish: "
    if updated < wanted:
        return Health(PROGRESSING, f"{head}{updated} out of {wanted} new pods have been updated...")
    if available < wanted:
        return Health(PROGRESSING, f"{head}{available} of {wanted} updated pods are available...")
    return Health(HEALTHY)


def stateful_set(obj: Object) -> Health:
    """A StatefulSet."""
    if not number(obj, "status", "observedGeneration") or _behind(obj):
        return Health(PROGRESSING, "Waiting for statefulset spec update to be observed...")
    wanted, ready = at(obj, "spec", "replicas"), number(obj, "status", "readyReplicas")
    if wanted is not None and ready < int(wanted):
        return Health(PROGRESSING, f"Waiting for {int(wanted) - ready} pods to be ready...")
    strategy = at(obj, "spec", "updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        return _partitioned(obj, wanted, strategy["rollingUpdate"].get("partition"))
    if strategy.get("type") == "OnDelete":
        return Health(HEALTHY, f"statefulset has {ready} ready pods")
    return _revised(obj)


def _partitioned(obj: Object, wanted: Any, partition: Any) -> Health:
    updated = number(obj, "status", "updatedReplicas")
    if wanted is not None and partition is not None and updated < int(wanted) - int(partition):
        said = f"{updated} out of {int(wanted) - int(partition)} new pods have been updated..."
        return Health(PROGRESSING, f"Waiting for partitioned roll out to finish: {said}")
    return Health(
        HEALTHY, f"partitioned roll out complete: {updated} new pods have been updated..."
    )


def _revised(obj: Object) -> Health:
    new, old = text(obj, "status", "updateRevision"), text(obj, "status", "currentRevision")
    if new != old:
        updated = number(obj, "status", "updatedReplicas")
        said = f"waiting for statefulset rolling update to complete {updated} pods at revision"
        return Health(PROGRESSING, f"{said} {new}...")
    current = number(obj, "status", "currentReplicas")
    said = f"statefulset rolling update complete {current} pods at revision {old}..."
    return Health(HEALTHY, said)
