"""Objects applied in one namespace, and the wait until what runs of them may be relied on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.kube import Kube, Selection
from fairway.kube.kind import POD
from fairway.model.errors import BadFile, FairwayError, InvalidInput, Unavailable
from fairway.pipeline.engine import Sink
from fairway.pipeline.environments import pods
from fairway.pipeline.environments.health import State, Verdict
from fairway.pipeline.environments.object_images import placed
from fairway.pipeline.environments.objects_judge import Found

_LOOK_S: Final = 0.5
_FIRST: Final = (
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "LimitRange",
    "ResourceQuota",
    "Service",
)
Json = dict[str, Any]


class Settling(Struct, frozen=True):
    """What is waited for. `before`: names of pods that others made, or that were there before."""

    kube: Kube
    namespace: str
    applied: list[Json]
    deadline_s: float
    before: frozenset[str] = frozenset()


async def apply_all(
    kube: Kube, namespace: str, objects: list[Found], images: Mapping[str, str]
) -> list[Json]:
    """Apply all; what others need comes first. Raises `BadFile` with the object's place."""
    applied: list[Json] = []
    for found in sorted(objects, key=lambda one: _rank(str(one.obj.get("kind")))):
        try:
            kind = await kube.kinds.kind_of(found.obj)
            applied.append(await kube.apply(kind, placed(found, namespace, images)))
        except Unavailable:
            raise
        except FairwayError as error:
            raise BadFile(
                f"{error}", code="environment-object", where=found.where, remedy=error.remedy
            ) from error
    return applied


def _rank(kind: str) -> int:
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


async def settled(one: Settling, *, log: Sink, last: Callable[[str], list[str]]) -> None:
    """Wait until all is well. Raises `InvalidInput` (`environment-unwell`) where that is in vain.

    `last`: the last lines of a pod's log.
    """
    told: set[str] = set()
    loop = asyncio.get_running_loop()
    until = loop.time() + one.deadline_s
    while True:
        whole, single = await _look(one)
        for each in whole:
            if each.service not in told and each.state in (State.READY, State.ENDED):
                told.add(each.service)
                await log(f"[fairway] {each.service}: {each.why or 'it is well'}\n".encode())
        lost = [each for each in [*single, *whole] if each.state is State.FAILED]
        late = loop.time() > until
        if lost or late:
            waiting = [each for each in [*single, *whole] if each.state is State.WAITING]
            words = "" if lost else f"not ready within {one.deadline_s:g} s: "
            raise await _unwell(words, lost or waiting, log=log, last=last)
        if all(each.state in (State.READY, State.ENDED) for each in whole):
            return
        await asyncio.sleep(_LOOK_S)


async def _look(one: Settling) -> tuple[list[Verdict], list[Verdict]]:
    """(workloads, their pods) as they are now."""
    whole: list[Verdict] = []
    for obj in one.applied:
        if obj.get("kind") in pods.WORKLOADS:
            name = str(obj["metadata"]["name"])
            kind = await one.kube.kinds.kind_of(obj)
            found = await one.kube.find(kind, name, one.namespace)
            gone = Verdict(f"{obj['kind']} {name}", State.FAILED, "it is gone")
            whole.append(pods.of_workload(found) if found is not None else gone)
    every = await one.kube.list(POD, Selection(namespace=one.namespace))
    mine = [pod for pod in every if _is_of(pod, one)]
    return whole, [pods.of_pod(pod) for pod in mine]


def _is_of(pod: Mapping[str, Any], one: Settling) -> bool:
    """Whether a pod is of what was applied, and new."""
    meta = pod["metadata"]
    if meta["name"] in one.before or meta.get("deletionTimestamp"):
        return False
    labels = (meta.get("labels") or {}).items()
    for obj in one.applied:
        selector = ((obj.get("spec") or {}).get("selector") or {}) if _runs(obj) else {}
        wanted = selector.get("matchLabels") or {}
        if (wanted and wanted.items() <= labels) or (
            obj.get("kind") == "Pod" and obj["metadata"]["name"] == meta["name"]
        ):
            return True
    return False


def _runs(obj: Mapping[str, Any]) -> bool:
    return obj.get("kind") in pods.WORKLOADS


async def _unwell(
    words: str, verdicts: list[Verdict], *, log: Sink, last: Callable[[str], list[str]]
) -> InvalidInput:
    """The error, after the log has the last lines of whoever is to blame."""
    await asyncio.sleep(_LOOK_S * 3)  # logs of what has just ended still come
    for one in verdicts:
        lines = last(one.service)
        if lines:
            text = "".join(f"    {line}\n" for line in lines)
            await log(f"[fairway] the last lines of {one.service}:\n{text}".encode())
    alike = {one.why: one for one in reversed(verdicts)}  # pods of one template fail alike
    said = "; ".join(f"{one.service}: {why}" for why, one in alike.items())
    return InvalidInput(
        f"it did not start: {words}{said or 'nothing has started'}",
        code="environment-unwell",
        remedy="See the log of the pod; a longer wait is `timeout: 10m` in the settings.",
    )
