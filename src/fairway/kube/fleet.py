"""The clusters that controllers work in: which there are, and the way into each.

A controller runs one task for each cluster (`each`): a cluster that does not answer holds up
nobody but itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from fairway.kit.aio import Wake
from fairway.kube.client import Kube
from fairway.model.errors import FairwayError, NotFound, Unavailable

HOME_SERVER: Final = "https://kubernetes.default.svc"  # Argo CD's name for the hub's own cluster
HOME_NAME: Final = "in-cluster"  # and its other one
_AGAIN_S: Final = 5.0
_LOOK_S: Final = 30.0
_log = logging.getLogger(__name__)


class Member(Struct, frozen=True, kw_only=True):
    """One cluster. `kube` is shared: act by `kube.acting(...)`, and never close it.

    `kube` None: there is no way in, and `problem` says why. With both there is a way in that did
    not work when it was tried last: informers go on trying.
    """

    name: str
    server: str
    home: bool = False  # the hub: where Applications and Deliveries are
    kube: Kube | None = None
    problem: FairwayError | None = None

    def client(self) -> Kube:
        """The way in. Raises `Unavailable` with the reason where there is none."""
        if self.kube is not None:
            return self.kube
        why = f": {self.problem}" if self.problem else ""
        raise Unavailable(
            f"the cluster {self.name} is out of reach{why}", code="cluster-unavailable"
        )


class Fleet(Protocol):
    """All clusters of this installation."""

    @property
    def changed(self) -> Wake:
        """Woken when a cluster came, went, is reached otherwise, or has another problem."""
        ...

    def members(self) -> Mapping[str, Member]:
        """Every cluster by its name, the home cluster first; empty until they are known."""
        ...


def home(fleet: Fleet) -> Member | None:
    """The hub; None while there is none."""
    return next((one for one in fleet.members().values() if one.home), None)


def find(fleet: Fleet, *, server: str = "", name: str = "") -> Member:
    """A cluster by the name or the server of an Application's destination.

    Raises `NotFound` (code `no-cluster`) with what was looked for.
    """
    for one in fleet.members().values():
        if (name and name == one.name) or (server and same_server(server, one.server)):
            return one
        if one.home and (name == HOME_NAME or same_server(server, HOME_SERVER)):
            return one
    raise NotFound(
        f"there is no cluster {name or server}",
        code="no-cluster",
        remedy="`fairway get clusters` lists those that there are; `fairway cluster add` adds one",
    )


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are one server's: a slash at the end is no difference."""
    return one.rstrip("/") == other.rstrip("/")


async def each(fleet: Fleet, work: Callable[[Member], Awaitable[None]], *, name: str) -> None:
    """Run `work(member)` for every cluster that has a way in, for ever. Ends by cancellation only.

    It is cancelled when the cluster goes or is reached otherwise; what it raises is logged, and it
    is begun again after some seconds. `name` is for tasks and logs.
    """
    running: dict[str, _Run] = {}
    async with asyncio.TaskGroup() as group:
        try:
            while True:
                wanted = {at: one for at, one in fleet.members().items() if one.kube is not None}
                for gone in [at for at in running if not running[at].serves(wanted.get(at))]:
                    await running.pop(gone).end()  # others may have changed the fleet meanwhile
                if any(not one.serves(fleet.members().get(at)) for at, one in running.items()):
                    continue
                for member in fleet.members().values():
                    if member.kube is not None and member.name not in running:
                        running[member.name] = run = _Run(member)
                        kept = run.keep(work, name)
                        run.task = group.create_task(kept, name=f"{name} in {member.name}")
                await fleet.changed.wait(_LOOK_S)
        finally:
            for run in running.values():
                run.over = True


class _Run:
    """The work in one cluster, by one way in.

    That it is over is noted here, as Python's account of it is not to be relied on before 3.13: a
    group of tasks that fails while it is cancelled raises the failure alone, and one that fails by
    itself may leave its task counted as cancelled.
    """

    def __init__(self, member: Member) -> None:
        self.over = False
        self.task: asyncio.Task[None] | None = None
        self._member = member

    def serves(self, member: Member | None) -> bool:
        """Whether this is the way into the cluster."""
        return member is not None and member.kube is self._member.kube

    async def end(self) -> None:
        """Cancel the work, and wait until it has ended."""
        self.over = True
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def keep(self, work: Callable[[Member], Awaitable[None]], name: str) -> None:
        """Work until it is over."""
        at = self._member.name
        while not self.over:
            try:
                await work(self._member)
            except FairwayError as error:
                _log.warning("%s in the cluster %s: %s", name, at, error)
            except Exception:  # noqa: BLE001 a defect in one cluster's work must not end the others'
                _log.exception("%s in the cluster %s failed: begun again", name, at)
            if not self.over:
                _forget_cancellations()
                await asyncio.sleep(_AGAIN_S)


def _forget_cancellations() -> None:
    task = asyncio.current_task()
    while task is not None and task.uncancel():
        pass
