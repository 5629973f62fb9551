"""What is live in one target cluster: caches of the kinds that applications have there.

Objects that carry a tracking id are kept whole (without managed fields); of all others no more than
their names, so that a cluster full of Secrets costs little.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from fairway.gitops import tracking
from fairway.gitops.objects import Destination, Json, ObjectKey, key_of
from fairway.kube import Actor, Informer, Kind, Kube, Selection, objects
from fairway.kube.discovery import Served
from fairway.kube.errors import KubeNotFound
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Key
from fairway.kube.page import EVERYTHING
from fairway.model.errors import FairwayError

MANAGER: Final = "argocd-controller"  # Argo CD's: what it wrote before stays owned by the same
_SYNC_S: Final = 30.0
_BARE: Final = "fairway"  # the one extra field of an object of which only the name is kept
_INSTANCE: Final = "instance"
_NEEDED: Final = frozenset({"list", "watch"})
_log = logging.getLogger(__name__)
Changed = Callable[[str], None]  # told an application's name in tracking ids
Wanted = tuple[str, str]  # apiVersion and kind


class LiveCluster:
    """One cluster. `run` it as a task; ask for what is live once `ready`."""

    def __init__(self, kube: Kube, changed: Changed) -> None:
        self.kube = kube
        self.applying = kube.acting(Actor(manager=MANAGER))
        self._changed = changed
        self._informers: dict[Wanted, Informer] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ready = asyncio.Event()
        self._version = ""
        self._kinds: dict[tuple[str, str], Served] = {}
        self._api_versions: tuple[str, ...] = ()
        self._generations: dict[str, int] = {}
        self._old = True

    async def run(self) -> None:
        """Follow the cluster until cancelled. Raises `FairwayError` where it cannot be read."""
        crds = Informer(
            self.kube, CUSTOM_RESOURCE_DEFINITION, selection=Selection(metadata_only=True)
        )
        crds.on_change(self._on_definition)
        try:
            self._version = str((await self.kube.version()).get("gitVersion") or "")
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(crds.run(), name="definitions of resources")
                self._ready.set()
                await asyncio.Event().wait()
        finally:
            self._ready.clear()
            self._group = None
            self._informers.clear()

    @property
    def is_ready(self) -> bool:
        """Whether it runs."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Until it runs."""
        await self._ready.wait()

    @property
    def problem(self) -> FairwayError | None:
        """What keeps any of its caches from following the cluster now."""
        return next((one.problem for one in self._informers.values() if one.problem), None)

    def _on_definition(self, old: Json | None, new: Json | None) -> None:
        self.kube.kinds.on_crd(old, new)
        self._old = True

    # ---- kinds -----------------------------------------------------------------------------------

    async def learn(self) -> None:
        """Know which kinds there are. Raises `KubeUnavailable`."""
        if self._old or not self._kinds:
            self._old = False
            found: dict[tuple[str, str], Served] = {}
            versions: dict[str, None] = {}
            for one in await self.kube.kinds.all():
                found.setdefault((one.kind.group, one.kind.kind), one)
                versions[one.kind.api_version] = None
                versions[f"{one.kind.api_version}/{one.kind.kind}"] = None
            self._kinds, self._api_versions = found, tuple(sorted(versions))

    def namespaced(self, group: str, kind: str) -> bool | None:
        """Whether a kind has namespaces; None for one that is not there."""
        found = self._kinds.get((group, kind))
        return found.kind.namespaced if found is not None else None

    def destination(self, namespace: str) -> Destination:
        """What a renderer is told of the cluster, once it is `learn`t."""
        return Destination(
            namespace=namespace,
            kube_version=self._version.lstrip("v").partition("+")[0],
            api_versions=self._api_versions,
        )

    def generation(self, instance: str) -> int:
        """How often something of an application changed here."""
        return self._generations.get(instance, 0)

    async def kind(self, api_version: str, kind: str) -> Kind:
        """A kind. Raises `KubeNotFound` (`kube-no-kind`)."""
        return await self.kube.kinds.kind(api_version, kind)

    # ---- objects ---------------------------------------------------------------------------------

    async def follow(self, wanted: Iterable[Wanted]) -> None:
        """Have caches of these kinds, filled. A kind that the cluster does not have has none.

        Raises `KubeUnavailable` where one is not filled in time.
        """
        wanted = list(wanted)
        new = [one for one in dict.fromkeys(wanted) if one not in self._informers]
        for one in new:
            await self._begin(one)
        for one in wanted:
            informer = self._informers.get(one)
            if informer is not None and not informer.synced:
                await informer.wait_synced(_SYNC_S)

    async def _begin(self, wanted: Wanted) -> None:
        try:
            served = await self.kube.kinds.served(*wanted)
        except KubeNotFound:
            return
        if not served.verbs >= _NEEDED or self._group is None or wanted in self._informers:
            return
        informer = Informer(
            self.kube,
            served.kind,
            selection=EVERYTHING,
            indexes={_INSTANCE: _instances},
            transform=slim,
            optional=True,
        )
        informer.on_change(self._tell)
        self._informers[wanted] = informer
        self._group.create_task(informer.run(), name=f"live {served.kind.resource}")

    def _tell(self, old: Json | None, new: Json | None) -> None:
        names = {name for obj in (old, new) if obj is not None for name in _instances(obj)}
        for name in sorted(names):
            self._generations[name] = self._generations.get(name, 0) + 1
            self._changed(name)

    def tracked(self, instance: str) -> dict[ObjectKey, Json]:
        """Every object that carries an application's tracking id, of the kinds that are followed"""
        found: dict[ObjectKey, Json] = {}
        for informer in self._informers.values():
            for obj in informer.store.by_index(_INSTANCE, instance):
                found.setdefault(key_of(obj), obj)
        return found

    async def find(self, key: ObjectKey, api_version: str) -> Json | None:
        """One object as it is now, whoever's it is; None where there is none, or no such kind."""
        informer = self._informers.get((api_version, key.kind))
        if informer is not None and informer.synced:
            obj = informer.store.get(Key(key.namespace, key.name))
            if obj is None or _BARE not in obj:
                return obj
        try:
            kind = await self.kind(api_version, key.kind)
            if kind.namespaced and not key.namespace:
                return None
            found = await self.kube.find(kind, key.name, key.namespace)
        except KubeNotFound:
            return None
        return slim(found, whole=True) if found is not None else None

    async def namespace(self, name: str) -> Json | None:
        """A namespace as it is now."""
        return await self.kube.find(NAMESPACE, name)

    def observe(self, obj: Json) -> None:
        """Take the answer of one's own write at once."""
        informer = self._informers.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if informer is not None:
            informer.observe(obj)

    def wanted(self) -> Iterator[Wanted]:
        """The kinds that are followed."""
        return iter(self._informers)


def slim(obj: Json, *, whole: bool = False) -> Json:
    """What is kept of an object: without managed fields, and of one that is nobody's its name."""
    meta = objects.metadata(obj)
    if whole or tracking.of(obj) is not None:
        meta.pop("managedFields", None)
        return obj
    kept = {
        name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion") if name in meta
    }
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, _BARE: True}


def _instances(obj: Mapping[str, object]) -> list[str]:
    found = tracking.of(obj)
    return [found.instance] if found is not None else []
