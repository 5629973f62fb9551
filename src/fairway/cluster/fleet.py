"""The embedded clusters of one installation on this machine: its own, and further ones beside it.

Each lives in a folder of its own, runs in a task of its own, and shares nothing with the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from fairway.cluster import ending, host
from fairway.cluster.embedded import Embedded
from fairway.cluster.known import Kind, Own
from fairway.cluster.layout import Layout, layout, names
from fairway.cluster.pki import API, Pki
from fairway.cluster.plan import ClusterPlan
from fairway.cluster.setting_up import Ground, Wanted
from fairway.cluster.status import ClusterState, ClusterStatus
from fairway.cluster.target import Target
from fairway.kit.aio import Wake, blocking, shielded
from fairway.kit.secret import Secret
from fairway.model.errors import Conflict, FairwayError, NotFound, Unavailable
from fairway.supervise.lock import alone

_ANSWERS: Final = frozenset({ClusterState.READY, ClusterState.DEGRADED, ClusterState.STARTING})
_BESIDE_S: Final = 5.0
_log = logging.getLogger(__name__)

Find = Callable[[str], Awaitable[Wanted]]
Beside = Callable[[Ground], Coroutine[Any, Any, None]]


class Fleet:
    """`find` says what a cluster is made of. `beside` runs as long as a cluster that is set up:
    what the installation offers on its bridge (HTTP, images).
    """

    def __init__(self, data: Path, home: str, find: Find, beside: Beside | None = None) -> None:
        self.home = home
        self.changed = Wake()  # a cluster came or went
        self._data = data
        self._find = find
        self._beside = beside
        self._clusters: dict[str, Embedded] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep all of them until cancelled, which leaves them running.

        Of several processes with one data directory, one does it.
        """
        async with alone(self._data / "cluster" / "lock"):
            await self._run()

    async def _run(self) -> None:
        await blocking(ending.finish_deletions, self._data, _log.info)
        known = await blocking(names, self._data)
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name in dict.fromkeys([self.home, *known]):
                self._start(name)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                self._tasks.clear()

    def statuses(self) -> list[ClusterStatus]:
        """How each cluster is, the installation's own first."""
        return [cluster.status for cluster in self._clusters.values()]

    def cluster(self, name: str) -> Embedded:
        """One cluster. Raises NotFound (`no-cluster`)."""
        found = self._clusters.get(name)
        if found is None:
            raise NotFound(f"no embedded cluster {name}", code="no-cluster")
        return found

    async def own(self) -> Sequence[Own]:
        """All of them, with the way in of those whose API answers."""
        return [await self._own(cluster) for cluster in self._clusters.values()]

    async def create(self, name: str) -> None:
        """Start a further cluster, of which nothing is the other's; it is ready some seconds later.

        Raises Conflict (`cluster-exists`), InvalidInput (`bad-cluster-name`), Unavailable.
        """
        layout(self._data, name)
        if name in self._clusters:
            raise Conflict(f"there is a cluster {name} already", code="cluster-exists")
        if (obstacle := await blocking(host.obstacle)) is not None:
            raise obstacle
        if self._group is None:
            raise _not_running()
        self._start(name)

    async def delete(self, name: str) -> None:
        """End a cluster for ever: pods, objects, images and volumes.

        Raises NotFound, and Conflict (`cluster-is-home`) for the installation's own.
        """
        self.cluster(name)
        if name == self.home:
            raise Conflict(
                f"{name} is this installation's own cluster",
                code="cluster-is-home",
                remedy="`fairway down --purge` removes the installation with it",
            )
        await shielded(self._remove(name))

    async def _remove(self, name: str) -> None:
        await blocking(ending.mark_deleted, layout(self._data, name))
        self._clusters.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await blocking(ending.finish_deletions, self._data, _log.info)
        self.changed.set()

    def _start(self, name: str) -> None:
        if self._group is None:
            return

        async def find() -> Wanted:
            return await self._find(name)

        cluster = Embedded(name, find)
        self._clusters[name] = cluster
        self._tasks[name] = self._group.create_task(self._keep(cluster), name=f"cluster {name}")
        self.changed.set()

    def _keeps(self, cluster: Embedded) -> bool:
        """Whether it shall go on: a TaskGroup that fails while it is cancelled tells only that it
        failed, so its loop must look.
        """
        return self._group is not None and self._clusters.get(cluster.name) is cluster

    async def _keep(self, cluster: Embedded) -> None:
        """A defect in the keeping of one cluster ends neither the others nor Fairway."""
        while self._keeps(cluster):
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(cluster.run(), name=f"embedded {cluster.name}")
                    if self._beside is not None:
                        group.create_task(self._stay(cluster), name=f"beside {cluster.name}")
            except Exception:  # noqa: BLE001 the docstring says why
                _log.exception("keeping the cluster %s failed: it is begun anew", cluster.name)
            if self._keeps(cluster):
                await asyncio.sleep(_BESIDE_S)

    async def _stay(self, cluster: Embedded) -> None:
        """Run what belongs beside the cluster; when that fails, it is tried again."""
        while cluster.ground is None:
            await cluster.changed.wait(1.0)
        while self._beside is not None and self._keeps(cluster):
            try:
                await self._beside(cluster.ground)
            except* (FairwayError, OSError) as errors:
                for error in errors.exceptions:
                    _log.warning("beside the cluster %s: %s", cluster.name, error)
            if self._keeps(cluster):
                await asyncio.sleep(_BESIDE_S)

    async def _own(self, cluster: Embedded) -> Own:
        now = cluster.status
        ground = cluster.ground
        answers = any(one.name == "apiserver" and one.state == "ready" for one in now.components)
        if ground is None or not answers or now.state not in _ANSWERS:
            reason = now.reason or f"it is {now.state}"
            return Own(name=cluster.name, kind=Kind.EMBEDDED, reason=reason)
        target = await blocking(admin, ground.paths, ground.plan)
        return Own(name=cluster.name, kind=Kind.EMBEDDED, target=target)


def admin(paths: Layout, plan: ClusterPlan) -> Target:
    """The way into a cluster as its administrator. Blocks. Raises Unavailable."""
    keeper = Pki(paths, plan)
    authority, pair = keeper.read(API), keeper.read("admin")
    if authority is None or pair is None:
        raise Unavailable(f"the certificates in {paths.pki} are gone")
    return Target(
        server=plan.api,
        ca=authority.cert.decode("ascii"),
        cert=pair.cert.decode("ascii"),
        key=Secret(pair.key.decode("ascii")),
    )


def _not_running() -> Unavailable:
    return Unavailable(
        "this process does not keep clusters (yet)",
        code="no-embedded-cluster",
        remedy="try again in a moment; `fairway get components` says how it comes along",
    )
