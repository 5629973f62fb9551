"""Ingresses, autoscalers, disruption budgets, API services and definitions of resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from fairway.gitops.health.reading import at, condition, items, text
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Health

_FAILURES: Final = {
    "AbleToScale": frozenset({"FailedGetScale", "FailedUpdateScale"}),
    "ScalingActive": frozenset(
        {
            "FailedGetResourceMetric",
            "FailedGetObjectMetric",
            "FailedGetPodsMetric",
            "FailedGetExternalMetric",
            "FailedComputeMetricsReplicas",
            "InvalidSelector",
        }
    ),
}
_CONDITIONS: Final = "autoscaling.alpha.kubernetes.io/conditions"
_WAITING: Final = Health(PROGRESSING, "Waiting to Autoscale")
Object = Mapping[str, Any]


def ingress(obj: Object) -> Health:
    """An Ingress needs an address."""
    return Health(HEALTHY if at(obj, "status", "loadBalancer", "ingress") else PROGRESSING)


def autoscaler(obj: Object) -> Health:
    """A HorizontalPodAutoscaler; version 1 has its conditions in an annotation."""
    if obj.get("apiVersion") != "autoscaling/v1":
        return _scaled(items(obj, "status", "conditions"))
    noted = at(obj, "metadata", "annotations", _CONDITIONS)
    if noted is None:
        return _WAITING
    try:
        found = msgspec.json.decode(noted, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        return Health(UNKNOWN, f"failed to convert conditions annotation to typed: {error}")
    return _scaled(found)


def _scaled(conditions: Iterable[Object]) -> Health:
    found = list(conditions)
    for one in found:
        if one.get("reason") in _FAILURES.get(str(one.get("type")), ()):
            return Health(DEGRADED, str(one.get("message") or ""))
    for one in found:
        if one.get("type") in {"AbleToScale", "ScalingLimited"} and one.get("status") == "True":
            return Health(HEALTHY, str(one.get("message") or ""))
    return _WAITING


def api_service(obj: Object) -> Health:
    """An APIService."""
    found = condition(obj, "Available")
    if found is None:
        return Health(PROGRESSING, "Waiting to be processed")
    said = f"{text(found, 'reason')}: {text(found, 'message')}"
    return Health(HEALTHY if found.get("status") == "True" else PROGRESSING, said)


def disruption_budget(obj: Object) -> Health:
    """A PodDisruptionBudget; too few pods may be just what is wanted."""
    found = Health(PROGRESSING, "Waiting for status")
    for one in items(obj, "status", "conditions"):
        reason = str(one.get("reason") or "")
        bad = one.get("status") == "False" and reason != "InsufficientPods"
        found = Health(DEGRADED if bad else HEALTHY, f"PodDisruptionBudget has {reason}")
        if bad:
            break
    return found


def definition(obj: Object) -> Health:
    """A CustomResourceDefinition."""
    conditions = list(items(obj, "status", "conditions"))
    if not conditions:
        return Health(PROGRESSING, "Status conditions not found")
    for one in conditions:
        found = _defined(one)
        if found is not None:
            return found
    if any(one.get("type") == "Established" and one["status"] == "True" for one in conditions):
        return Health(HEALTHY, "CRD is healthy")
    return Health(PROGRESSING, "CRD is not established")


def _defined(condition: Object) -> Health | None:
    said, reason = str(condition.get("message") or ""), condition.get("reason")
    of = (condition.get("type"), condition.get("status"))
    if of == ("Terminating", "True"):
        return Health(PROGRESSING, f"CRD is terminating: {said}")
    if of == ("NamesAccepted", "False"):
        return Health(DEGRADED, f"CRD names have not been accepted: {said}")
    if of == ("NonStructuralSchema", "True"):
        return Health(DEGRADED, f"Schema violations found: {said}")
    if of[0] == "Established" and of[1] != "True":
        if reason == "InvalidCABundle":
            return Health(DEGRADED, f"CRD is not established: {said}")
        if reason == "Installing":
            return Health(PROGRESSING, "CRD is being installed")
    return None
