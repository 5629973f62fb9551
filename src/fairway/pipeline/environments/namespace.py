"""An environment of Kubernetes objects: a namespace of its own that goes with the stage."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import Struct, field

from fairway.kit.aio import background, shielded
from fairway.kit.secret import Secret
from fairway.kube import Actor, Connection, Kind, Kube, Selection, connect
from fairway.kube.errors import KubeExists
from fairway.kube.kind import NAMESPACE, POD, SERVICE
from fairway.model.errors import BadFile, Conflict, FairwayError, InvalidInput, Unavailable
from fairway.model.image import parse_name
from fairway.pipeline.engine import Place, Sink
from fairway.pipeline.environments.images import Choice, Source
from fairway.pipeline.environments.object_images import chosen
from fairway.pipeline.environments.objects_judge import Found, judge
from fairway.pipeline.environments.pod_logs import PodLogs
from fairway.pipeline.environments.provide import Provider
from fairway.pipeline.environments.settling import Settling, apply_all, settled
from fairway.pipeline.plugin import Up

OWNER: Final = "fairway.dev/environment-of"  # label: a hash, for selecting
_WHOSE: Final = "fairway.dev/owner"  # annotations: in full
_STAGE: Final = "fairway.dev/stage"
_AGAIN_S: Final = 1.0
_PAST_S: Final = 5  # of logs, after a restart of ours
_ACTOR: Final = Actor(manager="fairway-environment")
_QUOTA: Final = Kind("", "v1", "resourcequotas", "ResourceQuota")
Json = dict[str, Any]
Reach = Callable[[], Awaitable[Connection]]
"""The way into the cluster, as one who may make namespaces. Raises `Unavailable`."""


class Asked(Struct, frozen=True, kw_only=True):
    """One environment of objects."""

    key: str
    owner: str
    name: str  # of the namespace
    trusted: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 300.0
    registry: str = ""
    auths: Mapping[str, Secret] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)


class NamespaceEnvironments:
    """Environments of objects in one cluster; with the stage, their namespaces are removed."""

    def __init__(self, reach: Reach, provider: Provider | None, *, owner: str) -> None:
        self._reach = reach
        self._provider = provider
        self._owner = owner
        self._made: set[str] = set()  # stages that have a namespace, as far as we know

    # ---- running ---------------------------------------------------------------------------------

    async def run(self, asked: Asked, objects: list[Found], log: Sink, up: Up) -> None:
        """Make it, call `up` once it may be relied on, and follow its logs until cancelled.

        What failed is removed at once. Raises `BadFile`, `InvalidInput`, `Unavailable`.
        """
        refused(objects, trusted=asked.trusted)
        await self.reachable(asked.deadline_s, log)
        try:
            async with self._kube() as kube:
                await self._run(kube, asked, objects, log=log, up=up)
        except FairwayError:
            await shielded(self.remove(asked.owner, asked.key))
            raise

    async def start(self, asked: Asked, objects: list[Found], log: Sink) -> list[str]:
        """Start it, and return once it may be relied on; the hosts of its Services. It stays."""
        found: list[str] = []

        async def up(*hosts: str) -> None:
            found.extend(hosts)

        refused(objects, trusted=asked.trusted)
        await self.reachable(asked.deadline_s, log)
        async with self._kube() as kube:
            await self._run(kube, asked, objects, log=log, up=up, stay=False)
        return found

    async def follow(self, name: str, log: Sink, *, on: bool) -> None:
        """The logs of a namespace's pods; `on`: until cancelled. Raises `NotFound`."""
        async with self._kube() as kube:
            await kube.get(NAMESPACE, name)
            logs = PodLogs(kube, name, log, since_s=None)
            async with background(logs.run()):
                await (asyncio.Event().wait() if on else logs.caught_up())

    async def reachable(self, patience_s: float, log: Sink) -> None:
        """Wait for a cluster that is still coming along. Raises `Unavailable` with the reason."""
        loop = asyncio.get_running_loop()
        until, told = loop.time() + patience_s, False
        while True:
            try:
                await self._reach()
            except Unavailable as error:
                if error.code != "cluster-unavailable" or loop.time() > until:
                    raise
                if not told:
                    await log(f"[fairway] waiting: {error}\n".encode())
                told = True
            else:
                return
            await asyncio.sleep(_AGAIN_S)

    @asynccontextmanager
    async def _kube(self) -> AsyncIterator[Kube]:
        kube = await connect(await self._reach(), _ACTOR)
        try:
            yield kube
        finally:
            await kube.close()

    async def _run(
        self,
        kube: Kube,
        asked: Asked,
        objects: list[Found],
        *,
        log: Sink,
        up: Up,
        stay: bool = True,
    ) -> None:
        began = asyncio.get_running_loop().time()
        images = await self.images(asked, objects, log)
        self._made.add(asked.key)
        fresh = await _ensure_namespace(kube, asked)
        await log(f"[fairway] in the namespace {asked.name} of {kube.server}\n".encode())
        applied = await apply_all(kube, asked.name, objects, images)
        logs = PodLogs(kube, asked.name, log, since_s=None if fresh else _PAST_S)
        async with background(logs.run()):
            await settled(
                Settling(kube, asked.name, applied, asked.deadline_s), log=log, last=logs.last
            )
            hosts = await _hosts(kube, asked.name)
            took = asyncio.get_running_loop().time() - began
            short = (host.partition(":")[0] for host in hosts)
            names = ", ".join(name for name in short if "." not in name)
            words = f"ready after {took:.1f} s: later steps reach {names or 'nothing'}"
            await log(f"[fairway] {words}\n".encode())
            await up(*hosts)
            if stay:
                await asyncio.Event().wait()  # until cancelled: logs are followed meanwhile

    async def images(self, asked: Asked, objects: list[Found], log: Sink) -> dict[str, str]:
        """What runs for each image that is named. Raises `InvalidInput` (`environment-image`)."""
        found: dict[str, str] = {}
        for name, choice in chosen(objects, asked.built, asked.images).items():
            found[name] = await self._meaning(asked, choice)
            if found[name] != name:
                await log(f"[fairway] {name} is {found[name]}\n".encode())
        return found

    async def _meaning(self, asked: Asked, choice: Choice) -> str:
        if choice.image.startswith("sha256:"):
            raise InvalidInput(
                f"{choice.written} is in this Engine only, and the cluster cannot fetch it",
                code="environment-image",
                remedy="Run the pipeline in Fairway, whose registry the cluster pulls from.",
            )
        image = choice.image
        if self._provider is not None:
            image = await self._provider.meaning(asked, choice)
        ours = bool(asked.registry) and parse_name(image).host == asked.registry
        if ours and choice.source is Source.FETCH and "@" not in image:
            raise InvalidInput(
                f"{image} is not in the registry, or this repository may not pull it",
                code="environment-image",
            )
        return image

    # ---- removing --------------------------------------------------------------------------------

    async def remove(self, owner: str, key: str) -> None:
        """Remove the namespaces of a stage. Raises `Unavailable`."""
        async with self._kube() as kube:
            for one in await _namespaces(kube, owner):
                if _note(one, _STAGE) == key:
                    await _delete(kube, str(one["metadata"]["name"]))
        self._made.discard(key)

    async def destroy(self, place: Place) -> None:
        """Remove a stage's, if it made any."""
        if place.key in self._made:
            await self.remove(place.owner, place.key)

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove what no stage in `keep` owns. Without a cluster there is nothing to sweep."""
        try:
            async with self._kube() as kube:
                found = {_note(one, _STAGE) for one in await _namespaces(kube, self._owner)}
        except Unavailable:
            return []
        gone = sorted(found - set(keep) - {""})
        for key in gone:
            await self.remove(self._owner, key)
        return gone


def refused(objects: list[Found], *, trusted: bool) -> None:
    """Raise `BadFile` (`environment-refused`) for what may not be, every path in it."""
    refusals = judge(objects, trusted=trusted)
    if refusals:
        raise BadFile(
            "\n".join(str(one) for one in refusals),
            code="environment-refused",
            remedy="Leave it out for builds, or ask an administrator to mark the repository as"
            " trusted where that helps.",
        )


def namespace_name(key: str, number: int) -> str:
    """The namespace of a stage's step: a DNS label, distinct for distinct stages."""
    short = hashlib.sha256(f"{key}/{number}".encode()).hexdigest()[:8]
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in key.lower()).strip("-")
    return f"env-{safe[:48].strip('-')}-{short}"


async def _ensure_namespace(kube: Kube, asked: Asked) -> bool:
    """Make it, or find it as an earlier holder of the stage made it. Whether it is new."""
    level = "privileged" if asked.trusted else "baseline"
    labels = {OWNER: _short(asked.owner), "pod-security.kubernetes.io/enforce": level}
    notes = {_WHOSE: asked.owner, _STAGE: asked.key}
    meta = {"name": asked.name, "labels": labels, "annotations": notes}
    try:
        await kube.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        fresh = True
    except KubeExists:
        found = await kube.get(NAMESPACE, asked.name)
        if _note(found, _STAGE) != asked.key or found["metadata"].get("deletionTimestamp"):
            raise Conflict(
                f"the namespace {asked.name} is there, and is not this stage's or is going away",
                code="environment-namespace",
                remedy="Try again when it has gone.",
            ) from None
        fresh = False
    if not asked.trusted:
        limits = {"pods": "40", "services.nodeports": "0", "services.loadbalancers": "0"}
        meta = {"name": "fairway-environment", "namespace": asked.name}
        await kube.apply(_QUOTA, {"metadata": meta, "spec": {"hard": limits}})
    return fresh


async def _hosts(kube: Kube, namespace: str) -> list[str]:
    """`name:address` for every Service, by its short name and its names with the namespace."""
    found: list[str] = []
    for one in await kube.list(SERVICE, Selection(namespace=namespace)):
        name, spec = str(one["metadata"]["name"]), one.get("spec") or {}
        address = spec.get("clusterIP")
        if not address or address == "None":
            address = await _pod_of(kube, namespace, spec.get("selector") or {})
        if address:
            names = (name, f"{name}.{namespace}", f"{name}.{namespace}.svc",
                     f"{name}.{namespace}.svc.cluster.local")  # fmt: skip
            found += [f"{each}:{address}" for each in names]
    return found


async def _pod_of(kube: Kube, namespace: str, selector: Mapping[str, str]) -> str:
    """A headless Service's first pod."""
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    every = await kube.list(POD, Selection(namespace=namespace, labels=labels)) if labels else []
    return next((str(pod["status"]["podIP"]) for pod in every if pod["status"].get("podIP")), "")


async def _namespaces(kube: Kube, owner: str) -> list[Json]:
    every = await kube.list(NAMESPACE, Selection(labels=f"{OWNER}={_short(owner)}"))
    return [one for one in every if _note(one, _WHOSE) == owner]


async def _delete(kube: Kube, name: str) -> None:
    """Begin its deletion. Its pods get no time: nothing of them is wanted any more."""
    with contextlib.suppress(FairwayError):
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        await kube.raw("DELETE", POD.path(name), body=body)
    await kube.delete(NAMESPACE, name)


def _note(obj: Mapping[str, Any], name: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))


def _short(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:16]
