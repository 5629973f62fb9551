"""The clusters that controllers of this process work in, from what `cluster/` knows of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from fairway.cluster import kubeconfig
from fairway.cluster.clusters import Clusters
from fairway.cluster.known import Known, State
from fairway.cluster.target import Target
from fairway.kit.aio import Wake, blocking
from fairway.kube import Actor, Kube, connect, from_kubeconfig
from fairway.kube.fleet import Member
from fairway.model.errors import FairwayError, Unavailable

ACTOR: Final = Actor(manager="fairway")
_SOON_S: Final = 0.5
_LOOK_S: Final = 5.0
_log = logging.getLogger(__name__)


class ClusterFleet:
    """`kube.fleet.Fleet`: follows `clusters`, which is handed in once there is such a thing."""

    def __init__(self) -> None:
        self.clusters: Clusters | None = None
        self.changed = Wake()
        self._members: dict[str, Member] = {}
        self._targets: dict[str, Target] = {}

    def members(self) -> Mapping[str, Member]:
        """Every cluster by its name, the home cluster first."""
        return self._members

    async def run(self) -> None:
        """Follow which clusters there are until cancelled; then every connection is closed."""
        try:
            while True:
                try:
                    await self._look()
                except FairwayError as error:
                    _log.warning("the clusters cannot be listed: %s", error)
                waiting = any(one.kube is None for one in self._members.values())
                await asyncio.sleep(_SOON_S if waiting or not self._members else _LOOK_S)
        finally:
            for member in self._members.values():
                await _close(member)
            self._members = {}

    async def _look(self) -> None:
        """Bring the members to what is known now; those that did not change stay as they are."""
        if self.clusters is None:
            return
        known = sorted(await self.clusters.all(fresh=False), key=lambda one: not one.home)
        found = {one.name: await self._member(one) for one in known}
        before, self._members = self._members, found
        for gone in [one for name, one in before.items() if name not in found]:
            self._targets.pop(gone.name, None)
            await _close(gone)
        if [*before.items()] != [*found.items()]:
            self.changed.set()

    async def _member(self, known: Known) -> Member:
        before = self._members.get(known.name)
        empty = Member(name=known.name, server=known.server, home=known.home)
        try:
            target = await self._need().target(known.name)
            kube = before.kube if before else None
            if kube is None or self._targets.get(known.name) != target:
                config = kubeconfig.written(known.name, target)
                kube = await connect(await blocking(from_kubeconfig, config), ACTOR)
                if before is not None:
                    await _close(before)
                self._targets[known.name] = target
        except FairwayError as error:
            if before is not None:
                await _close(before)
            self._targets.pop(known.name, None)
            return replace(empty, problem=error if not before else _kept(before, error))
        return replace(empty, kube=kube, problem=_kept(before, _problem(known)))

    def _need(self) -> Clusters:
        assert self.clusters is not None  # noqa: S101 `_look` has asked
        return self.clusters


def _problem(known: Known) -> FairwayError | None:
    """What a look at the cluster found wrong; a cluster that nobody has looked at is well."""
    health = known.health
    if health.state in (State.READY, State.STARTING):
        return None
    return Unavailable(
        f"the cluster {known.name} is {health.state}: {health.reason}", code="cluster-unavailable"
    )


def _kept(before: Member | None, problem: FairwayError | None) -> FairwayError | None:
    """The error from before where it says the same: a new one of the same words is no change."""
    if before is not None and problem is not None and str(before.problem) == str(problem):
        return before.problem
    return problem


async def _close(member: Member) -> None:
    kube: Kube | None = member.kube
    if kube is not None:
        await kube.close()
