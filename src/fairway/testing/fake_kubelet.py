"""A kubelet without containers: binds pods and tells of them what a real one would, for tests.

A pod becomes Running and Ready after a delay drawn from a seed by its name. Annotations of the pod
say otherwise, at its start or at any time later:

- `fake.fairway.dev/ready-after`: seconds; `never` for a pod that runs and is never Ready;
- `fake.fairway.dev/crash`: `true` for containers that end again and again;
- `fake.fairway.dev/exit-code`: for pods of Jobs (restartPolicy other than Always): 0 by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import Mapping
from typing import Any, Final

from fairway.kit import clock
from fairway.kube import Informer, Json, Key, Kube, WorkQueue, objects, own_key
from fairway.kube.errors import KubeConflict, KubeExists, KubeNotFound
from fairway.kube.kind import NODE, POD

NODE_NAME: Final = "fake"
READY_AFTER: Final = "fake.fairway.dev/ready-after"
CRASH: Final = "fake.fairway.dev/crash"
EXIT_CODE: Final = "fake.fairway.dev/exit-code"
_NEVER: Final = "never"
_WORKERS: Final = 16


class FakeKubelet:
    """The one node of a test's cluster. `quickest` and `slowest` bound the delays (seconds)."""

    def __init__(
        self, kube: Kube, *, seed: int = 0, quickest: float = 0.02, slowest: float = 0.15
    ) -> None:
        self._kube = kube
        self._seed = seed
        self._bounds = (quickest, slowest)
        self._pods = Informer(kube, POD)
        self._queue: WorkQueue[Key] = WorkQueue("fake kubelet")
        self._since: dict[str, float] = {}
        self._pods.feed(self._queue, own_key)

    async def run(self) -> None:
        """Until cancelled."""
        await self._make_node()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run(), name="fake kubelet's pods")
            group.create_task(self._queue.run(self._work, workers=_WORKERS), name="fake kubelet")

    async def _make_node(self) -> None:
        body = {"metadata": {"name": NODE_NAME, "labels": {"kubernetes.io/hostname": NODE_NAME}}}
        with contextlib.suppress(KubeExists):
            await self._kube.create(NODE, body)
        status = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "Fake", "message": ""}],
            "capacity": {"cpu": "64", "memory": "64Gi", "pods": "5000"},
            "allocatable": {"cpu": "64", "memory": "64Gi", "pods": "5000"},
        }
        await self._kube.patch(NODE, NODE_NAME, body={"status": status}, subresource="status")

    async def _work(self, key: Key) -> float | None:
        pod = self._pods.store.get(key)
        if pod is None:
            return None
        try:
            return await self._look(key, pod)
        except (KubeNotFound, KubeConflict):
            return None  # it went or changed meanwhile: its event comes

    async def _look(self, key: Key, pod: Json) -> float | None:
        if objects.deleting(pod):
            self._since.pop(objects.uid(pod), None)
            await self._kube.delete(POD, key.name, key.namespace, uid=objects.uid(pod), grace_s=0)
            return None
        if not (pod.get("spec") or {}).get("nodeName"):
            await self._bind(key)
            return None
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return None
        now = asyncio.get_running_loop().time()
        left = self._since.setdefault(objects.uid(pod), now) + self._delay(pod) - now
        status = wanted(pod, due=left <= 0, now=_now())
        if status is not None:
            await self._kube.patch(
                POD, key.name, key.namespace, body={"status": status}, subresource="status"
            )
        return max(left, 0.001) if 0 < left < 3600 else None

    async def _bind(self, key: Key) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE_NAME},
        }
        await self._kube.raw("POST", POD.path(key.namespace, key.name, "binding"), body=body)

    def _delay(self, pod: Mapping[str, Any]) -> float:
        told = objects.notes(pod).get(READY_AFTER, "")
        if told == _NEVER:
            return float("inf")
        if told:
            return float(told)
        name = objects.key(pod).name.encode()
        return random.Random(zlib.crc32(name) ^ self._seed).uniform(*self._bounds)  # noqa: S311


def wanted(pod: Mapping[str, Any], *, due: bool, now: str) -> Json | None:
    """The status that a pod gets, None where it has it already. `due`: its delay is over."""
    notes = objects.notes(pod)
    spec = pod["spec"]
    if due and spec.get("restartPolicy", "Always") != "Always":
        return _ended(pod, int(notes.get(EXIT_CODE, "0")), now)
    crashing = notes.get(CRASH) == "true"
    ready = due and not crashing
    if _is_ready(pod) == ready and (pod.get("status") or {}).get("phase") == "Running":
        return None
    return _running(pod, ready=ready, crashing=crashing, now=now)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _running(pod: Mapping[str, Any], *, ready: bool, crashing: bool, now: str) -> Json:
    state: Json = {"running": {"startedAt": now}}
    if crashing:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}}
    address = _address(pod)
    return {
        "phase": "Running",
        "startTime": now,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "10.0.0.1",
        "conditions": [
            _condition("PodScheduled", "True", now),
            _condition("Initialized", "True", now),
            _condition("ContainersReady", str(ready), now),
            _condition("Ready", str(ready), now),
        ],
        "containerStatuses": [
            {**_container(one, state), "ready": ready, "restartCount": 1 if crashing else 0}
            for one in pod["spec"]["containers"]
        ],
    }


def _ended(pod: Mapping[str, Any], code: int, now: str) -> Json:
    state = {
        "terminated": {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "startedAt": now,
            "finishedAt": now,
        }
    }
    return {
        "phase": "Failed" if code else "Succeeded",
        "startTime": now,
        "podIP": _address(pod),
        "conditions": [_condition("PodScheduled", "True", now), _condition("Ready", "False", now)],
        "containerStatuses": [
            {**_container(one, state), "ready": False, "restartCount": 0}
            for one in pod["spec"]["containers"]
        ],
    }


def _container(container: Mapping[str, Any], state: Json) -> Json:
    image = container["image"]
    return {"name": container["name"], "image": image, "imageID": image, "state": state}


def _condition(type_: str, status: str, now: str) -> Json:
    return {"type": type_, "status": status, "lastTransitionTime": now}


def _address(pod: Mapping[str, Any]) -> str:
    number = zlib.crc32(objects.uid(pod).encode())
    return f"10.{128 + number % 100}.{number // 100 % 250}.{1 + number // 25000 % 250}"


def _now() -> str:
    return (clock.text(clock.now()) or "").partition(".")[0] + "Z"
