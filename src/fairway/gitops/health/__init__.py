"""How well an object is: the built-in kinds judged as Argo CD 3.5 judges them, by table.

One file per group of kinds, and `worst` for an application as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.gitops.annotations import HOOK_FINALIZER
from fairway.gitops.health import apps, argo, batch, core, gateway, other
from fairway.gitops.health.reading import Check
from fairway.gitops.objects import (
    DEGRADED,
    HEALTHY,
    MISSING,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    split_version,
)
from fairway.kube import objects

_CHECKS: Final[dict[tuple[str, str], Check]] = {
    ("apps", "Deployment"): apps.deployment,
    ("apps", "ReplicaSet"): apps.replica_set,
    ("apps", "StatefulSet"): apps.stateful_set,
    ("apps", "DaemonSet"): apps.daemon_set,
    ("batch", "Job"): batch.job,
    ("batch", "CronJob"): batch.cron_job,
    ("", "Pod"): core.pod,
    ("", "Service"): core.service,
    ("", "PersistentVolumeClaim"): core.claim,
    ("networking.k8s.io", "Ingress"): other.ingress,
    ("extensions", "Ingress"): other.ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): other.autoscaler,
    ("apiregistration.k8s.io", "APIService"): other.api_service,
    ("policy", "PodDisruptionBudget"): other.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): other.definition,
    ("gateway.networking.k8s.io", "Gateway"): gateway.gateway,
    ("gateway.networking.k8s.io", "HTTPRoute"): gateway.route,
    ("gateway.networking.k8s.io", "GRPCRoute"): gateway.route,
    ("argoproj.io", "Rollout"): argo.rollout,
    ("argoproj.io", "AnalysisRun"): argo.analysis_run,
    ("argoproj.io", "Workflow"): argo.workflow,
}
# The versions that are understood, where a group has had others.
_VERSIONS: Final = {
    ("apps", "Deployment"): ("v1",),
    ("apps", "ReplicaSet"): ("v1",),
    ("apps", "StatefulSet"): ("v1",),
    ("apps", "DaemonSet"): ("v1",),
    ("batch", "Job"): ("v1",),
    ("autoscaling", "HorizontalPodAutoscaler"): ("v1", "v2"),
    ("apiregistration.k8s.io", "APIService"): ("v1", "v1beta1"),
}

_ORDER: Final = (HEALTHY, SUSPENDED, PROGRESSING, MISSING, DEGRADED, UNKNOWN)


def worst(statuses: Iterable[str]) -> str:
    """The worst of several; Healthy of none. A status that nobody knows is as good as Healthy,
    as in Argo CD.
    """
    places = (_ORDER.index(status) if status in _ORDER else 0 for status in statuses)
    return _ORDER[max(places, default=0)]


def of(obj: Mapping[str, Any]) -> Health | None:
    """An object's health; None for a kind that has none."""
    if objects.deleting(obj) and HOOK_FINALIZER not in (
        objects.metadata(obj).get("finalizers") or ()
    ):
        return Health(PROGRESSING, "Pending deletion")
    group, version = split_version(str(obj.get("apiVersion") or ""))
    kind = str(obj.get("kind") or "")
    check = _CHECKS.get((group, kind))
    if check is None:
        return None
    if version not in _VERSIONS.get((group, kind), (version,)):
        short = "HPA" if kind == "HorizontalPodAutoscaler" else kind
        return Health(UNKNOWN, f"unsupported {short} GVK: {group}/{version}, Kind={kind}")
    try:
        return check(obj)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        return Health(UNKNOWN, f"the {kind}'s status cannot be read: {error}")
