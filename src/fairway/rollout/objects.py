"""Rollouts and ReplicaSets as the controller reads them, and the names that Argo Rollouts gave."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.kube import Json, objects

HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
REVISIONS: Final = "rollout.argoproj.io/revision-history"
DESIRED: Final = "rollout.argoproj.io/desired-replicas"
DEADLINE: Final = "scale-down-deadline"
MANAGED_BY: Final = "argo-rollouts.argoproj.io/managed-by-rollouts"
MAX_WEIGHT: Final = 100
Moment = datetime.datetime
NEVER: Final = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)
_DELAY_S: Final = 30


class Rollout:
    """A Rollout's object, read only. What is missing has Argo's default."""

    def __init__(self, obj: Mapping[str, Any]) -> None:
        self.obj = obj
        self.spec: Mapping[str, Any] = obj.get("spec") or {}
        self.status: Mapping[str, Any] = obj.get("status") or {}
        strategy: Mapping[str, Any] = self.spec.get("strategy") or {}
        self.canary: Mapping[str, Any] | None = strategy.get("canary")
        self.blue_green: Mapping[str, Any] | None = strategy.get("blueGreen")
        self.namespace, self.name = objects.key(obj)
        self.uid = objects.uid(obj)
        self.generation = int(objects.metadata(obj).get("generation") or 0)
        self.notes = objects.notes(obj)

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        return given(self.spec.get("replicas"), 1)

    @property
    def routing(self) -> Mapping[str, Any] | None:
        """The canary's traffic routing."""
        return (self.canary or {}).get("trafficRouting")

    @property
    def steps(self) -> list[Mapping[str, Any]]:
        """The canary's steps."""
        return list((self.canary or {}).get("steps") or ())

    @property
    def revision(self) -> int:
        """The revision that the Rollout is at."""
        return number(self.notes.get(REVISION))

    @property
    def selector(self) -> Mapping[str, Any]:
        """The label selector."""
        return self.spec.get("selector") or {}

    @property
    def template(self) -> Mapping[str, Any]:
        """The pod template."""
        return self.spec.get("template") or {}

    # ---- what the status remembers ---------------------------------------------------------------

    @property
    def stable(self) -> str:
        """The pod hash of the stable version, "" before the first one."""
        return str(self.status.get("stableRS") or "")

    @property
    def current(self) -> str:
        """The pod hash that was wanted last."""
        return str(self.status.get("currentPodHash") or "")

    @property
    def promoted(self) -> bool:
        """Whether what is wanted is the stable version."""
        return self.stable == self.current

    @property
    def weights(self) -> Mapping[str, Any] | None:
        """The weights that were decided last."""
        return (self.status.get("canary") or {}).get("weights")

    @property
    def shown(self) -> Mapping[str, Any]:
        """The blue/green part of the status."""
        return self.status.get("blueGreen") or {}

    def paused_for(self, reason: str) -> Mapping[str, Any] | None:
        """The pause condition with a reason."""
        found = self.status.get("pauseConditions") or ()
        return next((one for one in found if one["reason"] == reason), None)

    def condition(self, type_: str) -> Mapping[str, Any] | None:
        """A condition of the status."""
        return condition(self.status, type_)

    # ---- delays, in seconds ----------------------------------------------------------------------

    @property
    def deadline_s(self) -> int:
        """Without progress for so long, a Rollout is Degraded."""
        return given(self.spec.get("progressDeadlineSeconds"), 600)

    @property
    def scale_down_delay_s(self) -> int:
        """How long an old version is kept after the switch."""
        if self.blue_green is not None:
            return given(self.blue_green.get("scaleDownDelaySeconds"), _DELAY_S)
        if self.routing is not None:
            return given((self.canary or {}).get("scaleDownDelaySeconds"), _DELAY_S)
        return 0

    @property
    def abort_delay_s(self) -> int | None:
        """How long an aborted version is kept; None keeps it for ever."""
        part = self.blue_green if self.blue_green is not None else self.canary or {}
        if self.blue_green is None and self.routing is None:
            return 0
        delay = given(part.get("abortScaleDownDelaySeconds"), _DELAY_S)
        return delay or None

    @property
    def delayed_revisions(self) -> int:
        """How many old versions are kept at once during their delay."""
        part = self.blue_green if self.blue_green is not None else self.canary or {}
        return given(part.get("scaleDownDelayRevisionLimit"), 2**31 - 1)


class ReplicaSet:
    """A ReplicaSet as it is while one decision is made: scaled at once, its status as observed."""

    def __init__(self, obj: Json) -> None:
        self.obj = obj
        self.name = objects.key(obj).name
        self.uid = objects.uid(obj)
        self.hash = objects.labels(obj).get(HASH, "")
        self.notes = dict(objects.notes(obj))
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        self.replicas = given(spec.get("replicas"), 1)
        self.min_ready = int(spec.get("minReadySeconds") or 0)
        self.actual = int(status.get("replicas") or 0)
        self.ready = int(status.get("readyReplicas") or 0)
        self.available = int(status.get("availableReplicas") or 0)
        self.failures = [
            one for one in status.get("conditions") or () if one["type"] == "ReplicaFailure"
        ]
        meta = objects.metadata(obj)
        self.created = str(meta.get("creationTimestamp") or "")
        self.settled = int(status.get("observedGeneration") or 0) >= int(
            meta.get("generation") or 0
        )
        self.deleting = objects.deleting(obj)

    @property
    def revision(self) -> int:
        """Its revision; 0 where it has none."""
        return number(self.notes.get(REVISION))

    @property
    def deadline(self) -> str:
        """When it is to be scaled down, "" for never."""
        return self.notes.get(DEADLINE, "")

    def desired(self) -> int | None:
        """How many pods the Rollout wanted when this was scaled last."""
        text = self.notes.get(DESIRED)
        return number(text) if text and text.isdigit() else None

    def saturated(self, replicas: int) -> bool:
        """Whether all pods of the Rollout are this version's, and available."""
        return self.replicas == replicas == self.available and self.desired() == replicas

    def __repr__(self) -> str:
        return f"<{self.name} {self.available}/{self.replicas}>"


def given(value: Any, default: int) -> int:
    """A number, or its default where there is none."""
    return default if value is None else int(value)


def number(text: str | None) -> int:
    """A revision's number; 0 for what is none."""
    return int(text) if text and text.isdigit() else 0


def condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    """A condition by its type."""
    found = status.get("conditions") or ()
    return next((one for one in found if one["type"] == type_), None)


def total(sets: Iterable[ReplicaSet]) -> int:
    """Pods that are wanted of these."""
    return sum(one.replicas for one in sets)


def available(sets: Iterable[ReplicaSet]) -> int:
    """Pods of these that are available."""
    return sum(one.available for one in sets)


def moment(text: str) -> Moment | None:
    """A time as Kubernetes writes it; None for what is none."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def written(at: Moment) -> str:
    """A time as Kubernetes writes it: whole seconds."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def after(at: Moment, seconds: float) -> Moment:
    """A time so much later."""
    return at + datetime.timedelta(seconds=seconds)


def formatted(selector: Mapping[str, Any]) -> str:
    """A label selector as `kubectl get -l` takes it, in the order that Kubernetes writes it."""
    pairs = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], ",".join(sorted(one.get("values") or ()))
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        pairs.append(words.get(one["operator"], key))
    return ",".join(sorted(pairs)) or "<none>"
