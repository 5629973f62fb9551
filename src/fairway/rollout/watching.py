"""The objects that Rollouts of one cluster are decided from, followed as they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from fairway.kube import Informer, Json, Key, Kind, Kube, Selection, WorkQueue, objects
from fairway.kube.kind import REPLICA_SET, SERVICE
from fairway.rollout import services
from fairway.rollout.analysis.crds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.objects import HASH, Rollout
from fairway.rollout.plan import Seen
from fairway.rollout.router import Router
from fairway.rollout.routers.gateway_api import HTTP_ROUTE

_SERVICES: Final = ("activeService", "previewService", "stableService", "canaryService")
_NAMED: Final = "named"
_OWNER: Final = "owner"


class Watched:
    """Informers of one cluster, and the queue of keys of Rollouts that they fill."""

    def __init__(self, kube: Kube, router: Router, queue: WorkQueue[Key]) -> None:
        self._router, self._queue = router, queue
        self.rollouts = Informer(kube, ROLLOUT, indexes={_NAMED: self._names})
        labelled = Selection(labels=HASH)
        self.sets = Informer(kube, REPLICA_SET, selection=labelled, indexes={_OWNER: _owner})
        self.runs = Informer(kube, ANALYSIS_RUN, indexes={_OWNER: _owner})
        self._services = Informer(kube, SERVICE)
        self._templates = Informer(kube, ANALYSIS_TEMPLATE)
        self._of_cluster = Informer(kube, CLUSTER_ANALYSIS_TEMPLATE)
        self._routes = Informer(kube, HTTP_ROUTE, optional=True)
        self._all: tuple[Informer, ...] = (
            self.rollouts, self.sets, self.runs, self._services, self._templates,
            self._of_cluster, self._routes,
        )  # fmt: skip
        self._feed()

    def _feed(self) -> None:
        self.rollouts.on_change(self._own)
        for informer in (self.sets, self.runs):
            informer.on_change(self._owned)
        for informer in (self._services, self._templates, self._of_cluster, self._routes):
            informer.on_change(self._referenced(informer.kind))

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._all:
                group.create_task(informer.run(), name=f"rollouts' {informer.kind.plural}")

    async def wait_synced(self, seconds: float) -> None:
        """Wait until everything was read once. Raises `KubeUnavailable`."""
        for informer in self._all:
            await informer.wait_synced(seconds)

    # ---- whom a change concerns ------------------------------------------------------------------

    def _own(self, old: Json | None, new: Json | None) -> None:
        self._queue.add(objects.key(new or old or {}))

    def _owned(self, old: Json | None, new: Json | None) -> None:
        for obj in (old, new):
            found = objects.controller(obj or {})
            if found is not None and found.get("kind") == ROLLOUT.kind:
                self._queue.add(Key(objects.key(obj or {}).namespace, str(found.get("name"))))

    def _referenced(self, kind: Kind) -> Callable[[Json | None, Json | None], None]:
        def handler(old: Json | None, new: Json | None) -> None:
            name = _reference(kind, objects.key(new or old or {}))
            for key in self.rollouts.store.keys_by_index(_NAMED, name):
                self._queue.add(key)

        return handler

    def _names(self, obj: Json) -> Iterable[str]:
        """What a Rollout names: Services, templates, routes."""
        rollout = Rollout(obj)
        part: Mapping[str, Any] = (
            rollout.canary if rollout.canary is not None else rollout.blue_green or {}
        )
        for name in _SERVICES:
            if part.get(name):
                yield _reference(SERVICE, Key(rollout.namespace, str(part[name])))
        for ref in _templates(part):
            name = str(ref.get("templateName"))
            if ref.get("clusterScope"):
                yield _reference(CLUSTER_ANALYSIS_TEMPLATE, Key("", name))
            else:
                yield _reference(ANALYSIS_TEMPLATE, Key(rollout.namespace, name))
        if rollout.routing is not None:
            for key in self._router.keys(rollout):
                yield _reference(HTTP_ROUTE, key)

    # ---- what a decision is made from ------------------------------------------------------------

    def seen(self, obj: Json, match: str = "") -> Seen:
        """Everything about one Rollout, as the caches have it: shared, not to be changed."""
        rollout = Rollout(obj)
        keys = self._router.keys(rollout) if rollout.routing is not None else ()
        return Seen(
            rollout=obj,
            sets=self.versions(obj),
            services=_by_name(self._services.store.list(rollout.namespace)),
            runs=self.runs.store.by_index(_OWNER, rollout.uid),
            templates=_by_name(self._templates.store.list(rollout.namespace)),
            cluster_templates=_by_name(self._of_cluster.store.list()),
            routes={key: one for key in keys if (one := self._routes.store.get(key)) is not None},
            match=match,
            rollouts=frozenset(
                key.name
                for key in self.rollouts.store.keys()  # noqa: SIM118 a store is no dict
                if key.namespace == rollout.namespace
            ),
        )

    def left_behind(self, key: Key) -> list[str]:
        """Services that a Rollout managed that is gone."""
        return services.managed_by(key.name, _by_name(self._services.store.list(key.namespace)))

    def versions(self, obj: Json) -> list[Json]:
        """The ReplicaSets of a Rollout."""
        return self.sets.store.by_index(_OWNER, objects.uid(obj))

    def observe(self, written: Json) -> None:
        """Our own write, before the cluster tells of it: no decision is made from before it."""
        for informer in self._all:
            if informer.kind.kind == written.get("kind"):
                informer.observe(written)


def _reference(kind: Kind, key: Key) -> str:
    return f"{kind.plural}/{key}"


def _owner(obj: Json) -> Iterable[str]:
    found = objects.controller(obj)
    if found is not None and found.get("kind") == ROLLOUT.kind:
        yield str(found.get("uid") or "")


def _by_name(found: Iterable[Json]) -> dict[str, Json]:
    return {objects.key(one).name: one for one in found}


def _templates(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    names = ("analysis", "prePromotionAnalysis", "postPromotionAnalysis")
    analyses = [part.get(name) for name in names]
    analyses += [step.get("analysis") for step in part.get("steps") or ()]
    for analysis in analyses:
        yield from (analysis or {}).get("templates") or ()
