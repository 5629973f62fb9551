"""One embedded Kubernetes: set up, its components kept running, its network and certificates kept.

`run` may be cancelled at any time: everything lives on, and the next Fairway takes it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fairway.cluster import network, pki, setting_up, status
from fairway.cluster.addons import apply
from fairway.cluster.probes import Probes
from fairway.cluster.setting_up import Ground, Wanted
from fairway.cluster.status import ClusterState, ClusterStatus
from fairway.kit import clock
from fairway.kit.aio import Wake, blocking
from fairway.model.errors import FairwayError, Unavailable
from fairway.supervise.component import Component
from fairway.supervise.supervisor import Supervisor

_RETRY_S: Final = 2.0
_NETWORK_S: Final = 5.0
_CERTIFICATES_S: Final = 10.0  # a look costs milliseconds; after a clock's leap all waits for it
_PAUSE_S: Final = 20.0
_SOON_S: Final = 0.25
_LATER_S: Final = 5.0
_log = logging.getLogger(__name__)

Find = Callable[[], Awaitable[Wanted]]


class Embedded:
    """Keeps one cluster. `find` says what it is made of, or raises Unavailable: not (yet) here."""

    def __init__(self, name: str, find: Find) -> None:
        self.name = name
        self.changed = Wake()
        self._find = find
        self._ground: Ground | None = None
        self._supervisor: Supervisor | None = None
        self._probes: Probes | None = None
        self._was_ready = False
        self._node = "it is not known yet"
        self._status = ClusterStatus(name, ClusterState.WAITING)

    @property
    def status(self) -> ClusterStatus:
        """How it is."""
        if self._supervisor is None:
            return self._status
        components = self._supervisor.statuses()
        return status.judge(self.name, components, self._node, was=self._was_ready)

    @property
    def ground(self) -> Ground | None:
        """Paths, addresses and programs, once it is set up."""
        return self._ground

    async def wait_ready(self, seconds: float = 120.0) -> None:
        """Until the node is ready. Raises Unavailable (`cluster-not-ready`) with the reason."""
        try:
            async with asyncio.timeout(seconds):
                while self.status.state is not ClusterState.READY:
                    await self.changed.wait(0.2)
        except TimeoutError:
            now = self.status
            raise Unavailable(
                f"the cluster {self.name} is not ready after {seconds:g} s: {now.reason}",
                code="cluster-not-ready",
                remedy=now.remedy or "`fairway get components`; `fairway doctor`",
            ) from None

    async def run(self) -> None:
        """Until cancelled. What keeps it from starting is its status, and is tried again."""
        ground = await self._set_up()
        supervisor = Supervisor(ground.paths.state)
        probes = Probes(ground.paths, ground.plan)
        self._ground, self._supervisor, self._probes = ground, supervisor, probes
        try:
            await self._define(ground)
            async with asyncio.TaskGroup() as group:
                group.create_task(supervisor.run(), name=f"components of {self.name}")
                group.create_task(self._watch_node(), name=f"node of {self.name}")
                group.create_task(self._tend_network(ground), name=f"network of {self.name}")
                group.create_task(self._tend_certificates(ground), name=f"pki of {self.name}")
                group.create_task(self._tend_pause(ground), name=f"pause of {self.name}")
                group.create_task(self._addons(ground), name=f"addons of {self.name}")
        finally:
            self._supervisor = self._probes = None
            await probes.close()

    async def _set_up(self) -> Ground:
        told = ""
        while True:
            try:
                wanted = await self._find()
                return await blocking(setting_up.set_up, wanted)
            except (FairwayError, OSError) as error:
                remedy = getattr(error, "remedy", "")
                code = getattr(error, "code", "")
                impossible = code.startswith("cluster-needs") or code == "cluster-programs-missing"
                state = ClusterState.IMPOSSIBLE if impossible else ClusterState.WAITING
                self._status = ClusterStatus(self.name, state, str(error), remedy)
                self.changed.set()
                if str(error) != told:
                    told = str(error)
                    _log.warning("the cluster %s does not start: %s (%s)", self.name, error, remedy)
            await asyncio.sleep(_RETRY_S)

    async def _define(self, ground: Ground) -> None:
        """Say to the supervisor what there should be: anything that differs is restarted."""
        if self._supervisor is None or self._probes is None:
            return
        prints = await blocking(pki.Pki(ground.paths, ground.plan).fingerprints)
        probes = self._probes.by_component()
        for start in ground.starts:
            self._supervisor.add(
                Component(
                    name=start.name,
                    command=start.command,
                    log=ground.paths.log(start.name),
                    environment=ground.environments[start.name],
                    ready=probes[start.name],
                    prepare=self._before(ground, start.name),
                    netns=ground.paths.netns if start.inside else None,
                    after=start.after,
                    version=await blocking(setting_up.version, ground, start, prints),
                    stop_s=start.stop_s,
                    hung_s=start.hung_s,
                )
            )

    def _before(self, ground: Ground, name: str) -> Callable[[], Awaitable[None]]:
        async def prepare() -> None:
            await blocking(setting_up.before, ground, name)

        return prepare

    async def _watch_node(self) -> None:
        while True:
            self._node = await self._why_not_ready()
            ready = self.status.state is ClusterState.READY
            if ready and not self._was_ready:
                _log.info("the cluster %s is ready", self.name)
            self._was_ready = self._was_ready or ready
            self.changed.set()
            await asyncio.sleep(_LATER_S if ready else _SOON_S)

    async def _why_not_ready(self) -> str:
        """Why the node is not Ready; "" when it is."""
        if self._probes is None:
            return "it is not known yet"
        try:
            why = readiness(await self._probes.node())
            if why or self._was_ready or await self._probes.takes_pods():
                return why
        except (FairwayError, OSError) as error:
            return str(error)
        return "it waits for the ServiceAccount of the namespace default"

    async def _tend_network(self, ground: Ground) -> None:
        """Somebody may flush rules or remove a device: it is mended, and said."""
        while True:
            await asyncio.sleep(_NETWORK_S)
            try:
                if await blocking(network.ensure, ground.paths, ground.plan):
                    _log.warning("mended the network of the cluster %s", self.name)
            except (FairwayError, OSError) as error:
                _log.warning("the network of the cluster %s: %s", self.name, error)

    async def _tend_certificates(self, ground: Ground) -> None:
        """Renew what nears its end; whoever reads it is restarted."""
        keeper = pki.Pki(ground.paths, ground.plan)
        while True:
            await asyncio.sleep(_CERTIFICATES_S)
            try:
                made = await blocking(keeper.ensure, clock.now())
            except (FairwayError, OSError) as error:
                _log.warning("the certificates of the cluster %s: %s", self.name, error)
                continue
            if made:
                _log.info("renewed certificates of %s: %s", self.name, ", ".join(made))
                await self._define(ground)

    async def _tend_pause(self, ground: Ground) -> None:
        """A kubelet that runs out of disk removes what no pod uses, after a while even the image
        that every pod begins with (containerd 1.6 pins none): nothing else could bring it again.
        """
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                if await blocking(setting_up.import_pause, ground):
                    _log.warning("brought the pause image of the cluster %s again", self.name)
            except (FairwayError, OSError) as error:
                _log.debug("the pause image of %s: %s", self.name, error)

    async def _addons(self, ground: Ground) -> None:
        """What every cluster has besides its components; once for each start of Fairway."""
        supervisor, probes = self._supervisor, self._probes
        if supervisor is None or probes is None:
            return
        while True:
            try:
                await supervisor.wait_ready("apiserver", seconds=_LATER_S)
                await apply(probes.api, ground.plan, await blocking(_authority, ground))
            except (FairwayError, OSError) as error:
                _log.debug("the addons of %s: %s", self.name, error)
                await asyncio.sleep(_SOON_S)
            else:
                return


def _authority(ground: Ground) -> bytes | None:
    """The cluster's authority, where there is an extension server that it signs for."""
    if all(start.name != "node" for start in ground.starts):
        return None
    pair = pki.Pki(ground.paths, ground.plan).read(pki.API)
    return pair.cert if pair else None


def readiness(node: Any) -> str:
    """Why a node is not Ready, by its conditions; "" when it is."""
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready":
            if condition.get("status") == "True":
                return ""
            return str(condition.get("message") or condition.get("reason") or "it does not say why")
    return "it has not reported yet"
