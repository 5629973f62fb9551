"""A chart installed into a namespace of its own, to see that it comes up; then all of it goes.

What is of the whole cluster, and routes (they would take users' requests), are only shown to the
API server. ConfigMaps and Secrets that the chart needs and does not bring are taken from the
environment that it is meant for.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from fairway.kit.aio import shielded
from fairway.kube import Kube, Selection
from fairway.kube.kind import CONFIG_MAP, NAMESPACE, SECRET, Kind
from fairway.model.errors import FairwayError, InvalidInput, Unavailable
from fairway.model.release import TRIAL
from fairway.release import arrival, keys

_LOOK_S: Final = 0.2
_ROUTES: Final = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "Ingress", "Gateway"})
_FIRST: Final = ("ServiceAccount", "ConfigMap", "Secret", "PersistentVolumeClaim", "Service",
                 "AnalysisTemplate")  # fmt: skip
_COPIED: Final = ("data", "binaryData", "type")
LABEL: Final = "fairway.dev/chart-test"
Json = dict[str, Any]


async def install(
    kube: Kube, owner: str, objects: Sequence[Json], *, beside: str, deadline_s: float
) -> None:
    """Install `objects` and wait until they are well. `owner` has one try at a time; `beside`: the
    namespace that the chart's configuration lies in.

    Raises `InvalidInput` (code `chart-not-installed`) with what went wrong; `Unavailable` (code
    `missing-configuration`) until the configuration that the chart needs has been made.
    """
    async with _namespace(kube, owner) as namespace:
        await _borrow(kube, namespace, objects, beside=beside)
        applied = [
            obj
            for one in sorted(objects, key=_rank)
            if (obj := await _apply(kube, namespace, one)) is not None
        ]
        await _settled(kube, applied, namespace, deadline_s=deadline_s)


def pointed(obj: Any, image: str) -> Any:
    """The object with `image` (NAME@DIGEST) wherever a container has one of that digest: what is
    tried lies in our registry, whatever name the chart gives it where nobody sets one."""
    digest = image.rpartition("@")[2]
    if isinstance(obj, list):
        return [pointed(one, image) for one in obj]
    if not isinstance(obj, dict):
        return obj
    made = {name: pointed(value, image) for name, value in obj.items()}
    if isinstance(made.get("image"), str) and made["image"].endswith(f"@{digest}"):
        made["image"] = image
    return made


def _rank(obj: Mapping[str, Any]) -> int:
    kind = obj.get("kind")
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


@asynccontextmanager
async def _namespace(kube: Kube, owner: str) -> AsyncIterator[str]:
    """A new one for each try. What a crash left of the same owner goes first."""
    mark = hashlib.sha256(owner.encode()).hexdigest()[:16]
    for left in await kube.list(NAMESPACE, Selection(labels=f"{LABEL}={mark}")):
        await kube.delete(NAMESPACE, left["metadata"]["name"])
    name = f"{TRIAL}{secrets.token_hex(6)}"
    await kube.create(NAMESPACE, {"metadata": {"name": name, "labels": {LABEL: mark}}})
    try:
        yield name
    finally:
        await shielded(_remove(kube, name))


async def _remove(kube: Kube, namespace: str) -> None:
    async with asyncio.timeout(15):
        await kube.delete(NAMESPACE, namespace)


async def _borrow(kube: Kube, namespace: str, objects: Sequence[Json], *, beside: str) -> None:
    there = keys.given(objects)
    lacking = keys.missing(keys.needed(objects), there)
    for kind, name in sorted({(one.kind, one.name) for one in lacking}):
        of = CONFIG_MAP if kind == "ConfigMap" else SECRET
        if not await _copy(kube, of, name, source=beside, target=namespace):
            raise Unavailable(
                f"the chart needs the {kind} {name}, which is neither in it nor in the namespace"
                f" {beside or '(none)'}",
                code="missing-configuration",
                remedy="make it there, or mark the reference as optional",
            )
    for name in keys.pull_secrets(objects):
        if ("Secret", name) not in there:
            await _copy(kube, SECRET, name, source=beside, target=namespace)


async def _copy(kube: Kube, kind: Kind, name: str, *, source: str, target: str) -> bool:
    """Whether there was one to copy."""
    found = await kube.find(kind, name, source) if source else None
    if found is None:
        return False
    copied: Json = {part: found[part] for part in _COPIED if part in found}
    copied["metadata"] = {"name": name, "namespace": target}
    await kube.apply(kind, copied, force=True)
    return True


async def _apply(kube: Kube, namespace: str, obj: Json) -> Json | None:
    """Apply one; None for what is only shown to the API server."""
    told = f"{obj.get('kind')} {(obj.get('metadata') or {}).get('name')}"
    try:
        kind = await kube.kinds.kind_of(obj)
        if kind.namespaced:
            placed = {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
            routes = kind.kind in _ROUTES
            made = await kube.apply(kind, placed, force=True, dry_run=routes)
            return None if routes else made
        await kube.apply(kind, obj, force=True, dry_run=True)
    except FairwayError as error:
        if error.retriable:
            raise
        raise _unwell(f"{told}: {error}") from error
    return None


async def _settled(
    kube: Kube, applied: Sequence[Json], namespace: str, *, deadline_s: float
) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline_s
    while True:
        told = [await _look(kube, obj, namespace) for obj in applied]
        lost = [one.why for one in told if one.lost]
        if lost:
            raise _unwell("; ".join(lost))
        waiting = [one.why for one in told if not one.well]
        if not waiting:
            return
        if loop.time() > until:
            raise _unwell(f"not ready within {deadline_s:g} s: " + "; ".join(waiting))
        await asyncio.sleep(_LOOK_S)


async def _look(kube: Kube, obj: Json, namespace: str) -> arrival.Seen:
    if obj["kind"] not in arrival.WORKLOADS:
        return arrival.WELL
    kind = await kube.kinds.kind_of(obj)
    found = await kube.find(kind, obj["metadata"]["name"], namespace)
    return arrival.of_workload(found) if found else arrival.Seen(lost=True, why="it is gone")


def _unwell(why: str) -> InvalidInput:
    return InvalidInput(
        f"the chart does not come up: {why}",
        code="chart-not-installed",
        remedy="mend the chart; `ci/install-values.yaml` in it may hold values for this try alone",
    )
