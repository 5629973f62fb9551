"""Objects of clusters, as `get` lists them: read through the users' own way into each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fairway.cli.kind import Kind
from fairway.cli.text import age
from fairway.client.wire.cluster import ClusterAccess
from fairway.model.errors import Unauthenticated

if TYPE_CHECKING:
    from fairway.cli.session import Session

_GROUP: Final = "/apis/argoproj.io/v1alpha1"


class Analysis(Struct, kw_only=True):
    """An AnalysisRun."""

    cluster: str
    namespace: str
    name: str
    phase: str
    message: str
    rollout: str
    metrics: list[str]
    created: str
    completed: str


class Rollout(Struct, kw_only=True):
    """A Rollout."""

    cluster: str
    namespace: str
    name: str
    phase: str
    message: str
    strategy: str
    step: str
    weight: int | None
    revision: str
    desired: int
    updated: int
    available: int
    images: list[str]
    aborted: bool
    created: str


def analysis(cluster: str, obj: dict[str, Any]) -> Analysis:
    """What is shown of an AnalysisRun."""
    meta, status = obj["metadata"], obj.get("status") or {}
    owners = meta.get("ownerReferences") or ()
    results = status.get("metricResults") or ()
    return Analysis(
        cluster=cluster,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        phase=status.get("phase") or "Pending",
        message=status.get("message") or "",
        rollout=next((one["name"] for one in owners if one.get("kind") == "Rollout"), ""),
        metrics=[_metric(one) for one in results],
        created=meta.get("creationTimestamp") or "",
        completed=status.get("completedAt") or "",
    )


def _metric(result: dict[str, Any]) -> str:
    """`name=Phase (last value)`."""
    measured = result.get("measurements") or [{}]
    value = measured[-1].get("value") or measured[-1].get("message") or ""
    dry = "dry run" if result.get("dryRun") else ""
    said = f" ({', '.join(part for part in (value, dry) if part)})" if value or dry else ""
    return f"{result['name']}={result['phase']}{said}"


def rollout(cluster: str, obj: dict[str, Any]) -> Rollout:
    """What is shown of a Rollout."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    canary = (spec.get("strategy") or {}).get("canary")
    steps = (canary or {}).get("steps") or ()
    weights = (status.get("canary") or {}).get("weights") or {}
    pods = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    notes = meta.get("annotations") or {}
    return Rollout(
        cluster=cluster,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        phase=status.get("phase") or "Progressing",
        message=status.get("message") or "",
        strategy="canary" if canary is not None else "blue/green",
        step=f"{status.get('currentStepIndex', 0)}/{len(steps)}" if steps else "",
        weight=(weights.get("canary") or {}).get("weight"),
        revision=notes.get("rollout.argoproj.io/revision", ""),
        desired=spec.get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        images=[one.get("image", "") for one in pods],
        aborted=bool(status.get("abort")),
        created=meta.get("creationTimestamp") or "",
    )


def fetch(session: Session, kind: Kind, cluster: str, namespace: str) -> list[Any]:
    """All objects of a kind in a cluster, or in one of its namespaces, by name."""
    from fairway.client.clusters import listed

    access = session.api.get(f"/clusters/{cluster}/access", ClusterAccess)
    token = session.context.token
    if not token:
        raise Unauthenticated(
            "there is no token to reach clusters with", code="no-token", remedy="`fairway login`"
        )
    below = f"/namespaces/{namespace}" if namespace else ""
    made = _MAKERS[kind.name]
    found = listed(access, token, f"{_GROUP}{below}/{kind.objects}")
    items = [made(access.name, obj) for obj in found]
    return sorted(items, key=lambda one: (one.namespace, one.name))


_MAKERS: Final = {"analysisruns": analysis, "rollouts": rollout}

ANALYSIS_RUNS: Final = Kind(
    name="analysisruns",
    one="analysisrun",
    path="",
    objects="analysisruns",
    item=Analysis,
    aliases=("analysisrun", "ar"),
    events=("rollout-changed",),
    label=lambda one: f"{one.namespace}/{one.name}",
    columns={
        "NAMESPACE": lambda one: one.namespace,
        "NAME": lambda one: one.name,
        "PHASE": lambda one: one.phase,
        "METRICS": lambda one: ", ".join(one.metrics)[:80],
        "AGE": lambda one: age(one.created),
    },
    wide={
        "CLUSTER": lambda one: one.cluster,
        "ROLLOUT": lambda one: one.rollout,
        "MESSAGE": lambda one: one.message,
    },
)

ROLLOUTS: Final = Kind(
    name="rollouts",
    one="rollout",
    path="",
    objects="rollouts",
    item=Rollout,
    aliases=("rollout", "ro"),
    events=("rollout-changed",),
    label=lambda one: f"{one.namespace}/{one.name}",
    columns={
        "NAMESPACE": lambda one: one.namespace,
        "NAME": lambda one: one.name,
        "PHASE": lambda one: one.phase,
        "STEP": lambda one: one.step,
        "WEIGHT": lambda one: "" if one.weight is None else f"{one.weight} %",
        "UPDATED": lambda one: f"{one.updated}/{one.desired}",
        "AVAILABLE": lambda one: str(one.available),
        "MESSAGE": lambda one: one.message[:60],
        "AGE": lambda one: age(one.created),
    },
    wide={
        "CLUSTER": lambda one: one.cluster,
        "REVISION": lambda one: one.revision,
        "IMAGES": lambda one: ", ".join(one.images),
    },
)
