"""This process's part in clusters: which there are, users' way to them, nodes' way to images."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fairway.access.tokens import Tokens
from fairway.api.services import AppDiffer, Parts
from fairway.boot.door import Door
from fairway.cluster import kubeconfig, layout
from fairway.cluster.clusters import Clusters
from fairway.cluster.dialing import dial
from fairway.cluster.known import Kind, Own
from fairway.cluster.proxy.gate import Gate
from fairway.gateway.traffic import Traffic
from fairway.kit.aio import blocking
from fairway.model.errors import FairwayError, Unavailable
from fairway.settings import Settings
from fairway.store.database import Database


class Embedded(Protocol):
    """The embedded clusters of this machine, as clusters of this installation."""

    async def own(self) -> Sequence[Own]:
        """All of them, the installation's own first."""
        ...

    async def create(self, name: str) -> None:
        """Start a further one. Raises `Conflict`, `InvalidInput`, `Unavailable`."""
        ...

    async def delete(self, name: str) -> None:
        """End one for ever. Raises `NotFound`, `Conflict`."""
        ...


class OwnClusters:
    """`Owned`: the existing cluster of a kubeconfig, or the embedded ones."""

    def __init__(self, settings: Settings, embedded: Embedded | None) -> None:
        self._settings = settings
        self._embedded = embedded

    async def own(self) -> Sequence[Own]:
        """The existing one is read anew each time: its file may change or appear."""
        if self._given:
            return [await blocking(existing, self._settings)]
        if self._embedded is not None:
            return await self._embedded.own()
        return await blocking(kept_elsewhere, self._settings)

    async def create(self, name: str) -> None:
        """Raises `Unavailable` (code `no-embedded-cluster`) where none can run."""
        await self._need().create(name)

    async def delete(self, name: str) -> None:
        """Raises as `create`."""
        await self._need().delete(name)

    @property
    def _given(self) -> bool:
        return bool(self._settings.cluster.kubeconfig)

    def _need(self) -> Embedded:
        if self._embedded is None:
            raise Unavailable(
                "this process keeps no embedded clusters",
                code="no-embedded-cluster",
                remedy="ask the process with the role controllers; `fairway doctor` says whether"
                " one can run here, and `fairway cluster add` registers another Kubernetes",
            )
        return self._embedded


def existing(settings: Settings) -> Own:
    """The cluster that the settings name by a kubeconfig. Blocks."""
    given = settings.cluster
    name = given.name
    try:
        target = kubeconfig.load(Path(given.kubeconfig), given.context)
    except FairwayError as error:
        return Own(name=name, kind=Kind.EXISTING, reason=str(error))
    return Own(name=name, kind=Kind.EXISTING, target=target)


def kept_elsewhere(settings: Settings) -> list[Own]:
    """The embedded clusters that another process keeps in this data directory. Blocks."""
    data = settings.data.absolute()
    names = sorted(layout.names(data), key=lambda name: (name != settings.cluster.name, name))
    return [_from_file(data, name) for name in names]


def _from_file(data: Path, name: str) -> Own:
    try:
        target = kubeconfig.load(layout.layout(data, name).kubeconfig("admin"))
    except FairwayError as error:
        return Own(name=name, kind=Kind.EMBEDDED, reason=str(error))
    return Own(name=name, kind=Kind.EMBEDDED, target=target)


class ClusterParts:
    """What of clusters a server process has and runs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tokens: Tokens,
        *,
        embedded: Embedded | None = None,
        bridge: str = "",
    ) -> None:
        self.clusters = Clusters(database, OwnClusters(settings, embedded), dial)
        self.parts: list[Parts] = []  # supervised ones, of the process that keeps them
        self.traffic: Traffic | None = None  # of the gateway in this process
        self.app_differences: AppDiffer | None = None  # of the controller in this process
        self.door = Door(settings, bridge=bridge)
        self._gate = Gate(database, tokens, self.clusters)

    async def run(self) -> None:
        """Until cancelled. Raises `Unavailable` where the door's port is taken."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.clusters.run(), name="clusters")
            group.create_task(self.door.run(self._gate), name="door to clusters")
