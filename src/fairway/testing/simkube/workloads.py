"""Who lives in a simulated cluster: controllers of workloads, and kubelets.

Deployments, ReplicaSets, Jobs and Services are brought about as Kubernetes does, as far as their
owners look at them. Pods start as `Fates` says. All of it happens by timers of the loop, at seeded
moments; nothing here is a task.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import DEPLOYMENT, ENDPOINT_SLICE, JOB, POD, REPLICA_SET, SERVICE, Json, Kind
from fairway.testing.simkube.admitting import refusal
from fairway.testing.simkube.janitor import Janitor
from fairway.testing.simkube.selecting import matches
from fairway.testing.simkube.server import Place, SimApi, now

HASH: Final = "pod-template-hash"
_AGAIN_S: Final = (2.0, 5.0)  # until pods that were refused are made again


class Fate(Struct, frozen=True):
    """What becomes of a pod: it is ready (or done) after `after_s`, crashes then, or never is."""

    end: Literal["ready", "crash", "never"] = "ready"
    after_s: float = 1.0


class Habits(Struct, frozen=True, kw_only=True):
    """How fast the cluster is, in seconds: its controllers, and pods that end."""

    react_s: tuple[float, float] = (0.005, 0.1)
    end_s: tuple[float, float] = (0.1, 2.0)


Fates = Callable[[Json], Fate]  # by the pod


class Workloads:
    """The controllers of one cluster. They begin with its first change after this."""

    def __init__(
        self,
        api: SimApi,
        fates: Fates = lambda _pod: Fate(),
        *,
        habits: Habits | None = None,
        source: random.Random | None = None,
    ) -> None:
        self.api = api
        self.fates = fates
        self._habits = habits or Habits()
        self._random = source or random.Random(0)  # noqa: S311 seeded
        self._due: dict[Place, None] = {}
        self._lived: dict[Place, str] = {}  # pods whose life has begun, with their uid
        self._janitor = Janitor(api)
        self._hands: Mapping[str, Callable[[Place, Json], None]] = {
            DEPLOYMENT.path(): self._deployment,
            REPLICA_SET.path(): self._replica_set,
            JOB.path(): self._job,
            POD.path(): self._pod,
            SERVICE.path(): self._service,
        }
        api.on_change(self._changed)

    # ---- what is looked at -----------------------------------------------------------------------

    def _changed(self, place: Place, before: Json | None, after: Json | None) -> None:
        self._soon(place)
        for obj in (before, after):
            for owner in objects.metadata(obj or {}).get("ownerReferences") or ():
                self._soon(self._place_of(owner, place[1]))
        if place[0] == POD.path():
            for other, _ in self.api.of(SERVICE, place[1]):
                self._soon(other)

    def _place_of(self, owner: Mapping[str, Any], namespace: str) -> Place:
        kinds: tuple[Kind, ...] = (DEPLOYMENT, REPLICA_SET, JOB)
        path = next((k.path() for k in kinds if k.kind == owner["kind"]), "")
        return (path, namespace, str(owner["name"]))

    def _soon(self, place: Place) -> None:
        if not place[0] or place in self._due:
            return
        self._due[place] = None
        asyncio.get_running_loop().call_later(self._pause(self._habits.react_s), self._look, place)

    def _pause(self, span: tuple[float, float]) -> float:
        return self._random.uniform(*span)

    def _look(self, place: Place) -> None:
        self._due.pop(place, None)
        found = self.api.objects.get(place)
        if not self._janitor.tend(place, found):
            return
        hand = self._hands.get(place[0])
        if hand is None or found is None:
            return
        if not objects.deleting(found) or place[0] == POD.path():
            hand(place, found)

    def _owned(self, kind: Kind, owner: Json) -> list[tuple[Place, Json]]:
        uid = objects.uid(owner)
        here = self.api.of(kind, objects.key(owner).namespace)
        return [(p, o) for p, o in here if (objects.controller(o) or {}).get("uid") == uid]

    def _tell(self, place: Place, status: Json) -> None:
        found = self.api.objects[place]
        self.api.put(place, {**found, "status": status})

    # ---- pods ------------------------------------------------------------------------------------

    def _pod(self, place: Place, pod: Json) -> None:
        if objects.deleting(pod):
            self._later(self._habits.end_s, self._end_pod, place, objects.uid(pod))
        elif not pod["spec"].get("nodeName"):
            self.api.put(
                place,
                {**pod, "spec": {**pod["spec"], "nodeName": "n1"}, "status": {"phase": "Pending"}},
            )
        elif self._lived.get(place) != objects.uid(pod):
            self._lived[place] = objects.uid(pod)
            fate = self.fates(pod)
            if fate.end != "never":
                loop = asyncio.get_running_loop()
                loop.call_later(fate.after_s, self._fated, place, objects.uid(pod), fate)

    def _later(self, span: tuple[float, float], what: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(self._pause(span), what, *args)

    def _end_pod(self, place: Place, uid: str) -> None:
        found = self.api.objects.get(place)
        if found is not None and objects.uid(found) == uid:
            meta = {**found["metadata"]}
            meta.pop("deletionGracePeriodSeconds", None)
            self.api.put(place, {**found, "metadata": meta})
            self._lived.pop(place, None)

    def _fated(self, place: Place, uid: str, fate: Fate) -> None:
        pod = self.api.objects.get(place)
        if pod is None or objects.uid(pod) != uid or objects.deleting(pod):
            return
        ends = pod["spec"].get("restartPolicy") in ("Never", "OnFailure")
        good = fate.end == "ready"
        ended = "Succeeded" if good else "Failed"
        phase = ended if ends else "Running"
        serves = good and not ends
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        self._tell(
            place,
            {
                "phase": phase,
                "podIP": "10.0.0.1",
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True" if serves else "False",
                        "lastTransitionTime": now(),
                    }
                ],
                "containerStatuses": [
                    {
                        "name": one["name"],
                        "image": one.get("image", ""),
                        "ready": serves,
                        "restartCount": 0 if good else 1,
                        "state": {} if good else waiting,
                    }
                    for one in pod["spec"]["containers"]
                ],
            },
        )

    # ---- ReplicaSets -----------------------------------------------------------------------------

    def _replica_set(self, place: Place, one: Json) -> None:
        pods = self._owned(POD, one)
        living = [(at, pod) for at, pod in pods if not objects.deleting(pod)]
        wanted = int(one["spec"].get("replicas", 1))
        # Those that are not ready go first.
        for at, _pod in sorted(living, key=lambda each: is_ready(each[1]))[: len(living) - wanted]:
            self.end(at)
        refused = [why for _ in range(wanted - len(living))
                   if (why := self._make_pod(one, REPLICA_SET))]  # fmt: skip
        left = [pod for at, pod in self._owned(POD, one) if not objects.deleting(pod)]
        ready = sum(map(is_ready, left))
        told = {
            "replicas": len(left),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "fullyLabeledReplicas": len(left),
            "observedGeneration": one["metadata"]["generation"],
        }
        if refused:
            failed = _condition("ReplicaFailure", "FailedCreate")
            told["conditions"] = [{**failed, "message": refused[0]}]
            self._later(_AGAIN_S, self._soon, place)
        self._tell(place, told)

    def end(self, place: Place) -> None:
        """Begin a pod's end."""
        pod = self.api.objects[place]
        meta = {**pod["metadata"], "deletionTimestamp": now(), "deletionGracePeriodSeconds": 30}
        self.api.put(place, {**pod, "metadata": meta})

    def _make_pod(self, owner: Json, kind: Kind) -> str:
        """Returns why it is not admitted, or ""."""
        key = objects.key(owner)
        template = owner["spec"]["template"]
        name = f"{key.name}-{self.api.suffix()}"
        meta = {
            **(template.get("metadata") or {}),
            "name": name,
            "namespace": key.namespace,
            "ownerReferences": [objects.owner_reference(owner, kind)],
        }
        place = (POD.path(), key.namespace, name)
        why = refusal(self.api, key.namespace, template)
        if not why:
            self.api.put(place, {"metadata": meta, "spec": template["spec"]})
        return why

    # ---- Deployments -----------------------------------------------------------------------------

    def _deployment(self, place: Place, one: Json) -> None:
        wanted = int(one["spec"].get("replicas", 1))
        name = f"{place[2]}-{template_hash(one['spec']['template'])}"
        at = (REPLICA_SET.path(), place[1], name)
        if at not in self.api.objects:
            self._make_set(one, name)
        sets = dict(self._owned(REPLICA_SET, one))
        new = sets.pop(at, None)
        if new is None:
            return
        # One more at a time than wanted, and never fewer that are available.
        available = sum(_count(o, "availableReplicas") for o in [new, *sets.values()])
        if new["spec"]["replicas"] != wanted:
            self._scale(at, wanted)
        if available > wanted or _count(new, "availableReplicas") >= wanted:
            for other, obj in sets.items():
                if obj["spec"]["replicas"]:
                    self._scale(other, 0 if _count(new, "availableReplicas") >= wanted else 1)
        self._tell(place, _deployment_status(one, new, list(sets.values())))

    def _make_set(self, one: Json, name: str) -> None:
        template = one["spec"]["template"]
        labels = {**objects.labels(template), HASH: template_hash(template)}
        selector = {
            "matchLabels": {**one["spec"]["selector"].get("matchLabels", {}), HASH: labels[HASH]}
        }
        meta: Json = {
            "name": name,
            "namespace": objects.key(one).namespace,
            "labels": labels,
            "ownerReferences": [objects.owner_reference(one, DEPLOYMENT)],
        }
        made = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
        spec = {"replicas": 0, "selector": selector, "template": made}
        self.api.put(
            (REPLICA_SET.path(), meta["namespace"], name), {"metadata": meta, "spec": spec}
        )

    def _scale(self, place: Place, replicas: int) -> None:
        found = self.api.objects[place]
        self.api.put(place, {**found, "spec": {**found["spec"], "replicas": replicas}})

    # ---- Jobs and Services -----------------------------------------------------------------------

    def _job(self, place: Place, job: Json) -> None:
        if (job.get("status") or {}).get("conditions"):
            return
        pods = [pod for _, pod in self._owned(POD, job)]
        phases = [(pod.get("status") or {}).get("phase") for pod in pods]
        failed = phases.count("Failed")
        status: Json = {
            "active": len(phases) - failed - phases.count("Succeeded"),
            "failed": failed,
            "succeeded": phases.count("Succeeded"),
        }
        if "Succeeded" in phases:
            status["conditions"] = [_condition("Complete", "Complete")]
        elif failed > int(job["spec"].get("backoffLimit", 6)):
            status["conditions"] = [_condition("Failed", "BackoffLimitExceeded")]
        elif failed == len(phases):
            self._make_pod(job, JOB)
            status["active"] = 1
        self._tell(place, status)

    def _service(self, place: Place, service: Json) -> None:
        """Its endpoints: the pods that are ready."""
        wanted = (service.get("spec") or {}).get("selector")
        if not wanted:
            return
        found = [
            {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": at[2]}}
            for at, pod in self.api.of(POD, place[1])
            if is_ready(pod) and matches({"matchLabels": wanted}, objects.labels(pod))
        ]
        meta: Json = {
            "name": f"{place[2]}-sim",
            "namespace": place[1],
            "labels": {"kubernetes.io/service-name": place[2]},
            "ownerReferences": [objects.owner_reference(service, SERVICE)],
        }
        at = (ENDPOINT_SLICE.path(), place[1], meta["name"])
        self.api.put(at, {"metadata": meta, "addressType": "IPv4", "endpoints": found})


def is_ready(pod: Json) -> bool:
    """Whether a pod takes requests."""
    if objects.deleting(pod):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def template_hash(template: Json) -> str:
    """The end of a ReplicaSet's name: by its content."""
    text = json.dumps(template, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:9]


def _count(obj: Json, name: str) -> int:
    return int((obj.get("status") or {}).get(name) or 0)


def _condition(type_: str, reason: str) -> Json:
    return {"type": type_, "status": "True", "reason": reason, "lastTransitionTime": now()}


def _deployment_status(one: Json, new: Json, others: list[Json]) -> Json:
    sets = [new, *others]
    wanted = int(one["spec"].get("replicas", 1))
    available = sum(_count(each, "availableReplicas") for each in sets)
    kept = {each["type"]: each for each in (one.get("status") or {}).get("conditions") or ()}
    said = "True" if available >= wanted else "False"
    if kept.get("Available", {}).get("status") != said:
        kept["Available"] = {**_condition("Available", "MinimumReplicas"), "status": said}
    return {
        "observedGeneration": one["metadata"]["generation"],
        "replicas": sum(_count(each, "replicas") for each in sets),
        "updatedReplicas": _count(new, "replicas"),
        "readyReplicas": sum(_count(each, "readyReplicas") for each in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "conditions": list(kept.values()),
    }
