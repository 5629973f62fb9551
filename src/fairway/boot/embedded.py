"""The embedded clusters of this process, from settings; their part at start, end and in doctor."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from fairway.access.tokens import Tokens
from fairway.api.services import Parts
from fairway.boot.local import wanted_here
from fairway.client.wire.system import Component
from fairway.cluster import host
from fairway.cluster.fleet import Fleet
from fairway.cluster.onlooker import Onlooker
from fairway.cluster.pulling import Pulling
from fairway.cluster.setting_up import Ground, Wanted
from fairway.cluster.status import ClusterState, ClusterStatus
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.native import programs
from fairway.native.programs import Programs
from fairway.settings import Settings, machine_arch, proxy_environment
from fairway.store.database import Database
from fairway.supervise.component import State

_PULLING_S: Final = 60.0
_log = logging.getLogger(__name__)

Say = Callable[[str], None]
Listen = Callable[[str], Coroutine[Any, Any, None]]


def fleet(settings: Settings, installation: str, beside: Beside | None = None) -> Fleet | None:
    """The clusters that this process keeps; None where it keeps none."""
    if not wanted_here(settings):
        return None
    find = partial(_find, settings, installation)
    return Fleet(settings.data.absolute(), settings.cluster.name, find, beside)


def onlooker(settings: Settings, listen: Listen) -> Onlooker | None:
    """The clusters of this data directory to a server whose controllers run elsewhere."""
    if wanted_here(settings) or settings.cluster.embedded == "off" or os.geteuid() != 0:
        return None
    return Onlooker(settings.data.absolute(), settings.cluster.name, listen)


async def _find(settings: Settings, installation: str, name: str) -> Wanted:
    """What a cluster is made of. Raises Unavailable: the programs are missing, or built yet."""
    await blocking(_install)
    found = await blocking(programs.find, settings.native.dir)
    return Wanted(
        data=settings.data.absolute(),
        name=name,
        installation=installation,
        arch=machine_arch(),
        native=found.native,
        pause=found.pause,
        extras=await blocking(_has_extras, found),
        proxies=proxy_environment(),
    )


def _install() -> None:
    """As root where apt is: have what the cluster needs. Raises Unavailable: what is missing."""
    obstacle = host.obstacle()
    missing = obstacle is not None and obstacle.code == "cluster-programs-missing"
    if missing and host.install(_log.info):
        obstacle = host.obstacle()
    if obstacle is not None:
        raise obstacle


def _has_extras(found: Programs) -> bool:
    """Whether this build has the node's extras: its own list of components says so."""
    return "node" in host.said(str(found.native), "help").split()


class Beside:
    """What the installation offers on a cluster's bridge: HTTP, and its images to the nodes."""

    def __init__(self, settings: Settings, database: Database, tokens: Tokens) -> None:
        self._port = settings.http.port
        self._pulling = Pulling(database, tokens, registry=settings.registry_name)
        self.listen: Listen | None = None

    async def serve(self, address: str) -> None:
        """Serve HTTP at an address of ours until cancelled; never without the role for it."""
        if self.listen is not None:
            await self.listen(address)

    async def __call__(self, ground: Ground) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pull(ground), name=f"pulling of {ground.plan.name}")
            group.create_task(self.serve(ground.plan.gateway), name="http on the bridge")

    async def _pull(self, ground: Ground) -> None:
        address = f"http://{ground.plan.gateway}:{self._port}"
        while True:
            await self._pulling.ensure(ground.plan.name, ground.paths.registries, address)
            await asyncio.sleep(_PULLING_S)


def parts(kept: Fleet) -> Parts:
    """Each cluster and each of its components, for `fairway get components`."""

    async def show() -> Sequence[Component]:
        return [shown for one in kept.statuses() for shown in _shown(one)]

    return show


def seen_parts(seen: Onlooker) -> Parts:
    """The same of clusters that another process keeps."""

    async def show() -> Sequence[Component]:
        return [shown for one in await seen.statuses() for shown in _shown(one)]

    return show


def _shown(one: ClusterStatus) -> list[Component]:
    name = f"cluster {one.name}"
    ready = one.state is ClusterState.READY
    reason = one.reason + (f" ({one.remedy})" if one.remedy else "")
    found = [Component(name=name, healthy=ready, state=str(one.state), reason=reason)]
    for part in one.components:
        component = Component(
            name=f"{name}/{part.name}",
            healthy=part.state is State.READY,
            state=str(part.state),
            since=clock.text(part.since) or "",
            restarts=part.restarts,
            reason=part.reason,
        )
        found.append(component)
    return found
