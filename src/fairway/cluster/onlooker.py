"""The embedded clusters as a process sees them that does not keep them: from their folders.

The role `server` may run in another process than `controllers`: it still shows the clusters of its
data directory, leads users to them, and serves HTTP on their bridges.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from fairway.cluster.fleet import admin
from fairway.cluster.known import Kind, Own
from fairway.cluster.layout import layout, names
from fairway.cluster.network import devices
from fairway.cluster.plan import API_PORT, ClusterPlan
from fairway.cluster.setting_up import read_plan
from fairway.cluster.status import ClusterState, ClusterStatus, judge
from fairway.kit.aio import blocking
from fairway.kit.processes import is_alive
from fairway.model.errors import FairwayError, Unavailable
from fairway.supervise import records
from fairway.supervise.component import ComponentStatus, Record, State

_LOOK_S: Final = 5.0
_CONNECT_S: Final = 2.0
_log = logging.getLogger(__name__)

Listen = Callable[[str], Coroutine[Any, Any, None]]


class Onlooker:
    """`listen` serves HTTP at an address, until it is cancelled."""

    def __init__(self, data: Path, home: str, listen: Listen | None = None) -> None:
        self._data = data
        self._home = home
        self.listen = listen
        self._runs = True  # a TaskGroup that fails while it is cancelled tells only the failure

    async def run(self) -> None:
        """Serve on each cluster's bridge as long as there is one; until cancelled."""
        served: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    await self._look(group, served)
                    await asyncio.sleep(_LOOK_S)
            finally:
                self._runs = False

    async def _look(self, group: asyncio.TaskGroup, served: dict[str, asyncio.Task[None]]) -> None:
        there = await blocking(self._bridges)
        for address in served.keys() - there:
            served.pop(address).cancel()
        for address in there - served.keys():
            work = self._serve(address)
            served[address] = group.create_task(work, name=f"http on {address}")

    async def _serve(self, address: str) -> None:
        while self.listen is not None and self._runs:
            try:
                await self.listen(address)
            except* (FairwayError, OSError) as errors:
                _log.warning("HTTP on %s: %s", address, errors.exceptions[0])
            if self._runs:
                await asyncio.sleep(_LOOK_S)

    async def own(self) -> Sequence[Own]:
        """All of them, the installation's own first."""
        plans = await blocking(self._plans)
        plans.sort(key=lambda plan: (plan.name != self._home, plan.name))
        return [await self._own(plan) for plan in plans]

    async def statuses(self) -> list[ClusterStatus]:
        """How each is: its components by what their supervisor wrote down, its API by asking."""
        plans = {plan.name: plan for plan in await blocking(self._plans)}
        found = []
        for own in await self.own():
            if own.name in plans:
                state = layout(self._data, own.name).state
                parts = await blocking(_components, state)
                found.append(_judged(own, parts))
        return found

    async def create(self, name: str) -> None:
        """Raises Unavailable: another process keeps them."""
        raise self._elsewhere(f"{name} cannot be created")

    async def delete(self, name: str) -> None:
        """Raises Unavailable: another process keeps them."""
        raise self._elsewhere(f"{name} cannot be deleted")

    def _elsewhere(self, what: str) -> Unavailable:
        return Unavailable(
            f"{what} by this process: it does not have the role controllers",
            code="no-embedded-cluster",
            remedy="run `fairway up` (all roles), or one process with `--role server --role"
            " controllers`, where clusters are created and deleted",
        )

    async def _own(self, plan: ClusterPlan) -> Own:
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, writer = await asyncio.open_connection(plan.gateway, API_PORT)
            writer.close()
            target = await blocking(admin, layout(self._data, plan.name), plan)
        except (OSError, FairwayError) as error:
            reason = f"its API does not answer: {str(error) or type(error).__name__}"
            return Own(name=plan.name, kind=Kind.EMBEDDED, reason=reason)
        return Own(name=plan.name, kind=Kind.EMBEDDED, target=target)

    def _plans(self) -> list[ClusterPlan]:
        found = []
        for name in names(self._data):
            try:
                plan = read_plan(layout(self._data, name))
            except FairwayError as error:
                _log.warning("%s", error)
                continue
            found += [plan] if plan is not None else []
        return found

    def _bridges(self) -> set[str]:
        there = devices()
        return {plan.gateway for plan in self._plans() if plan.bridge in there}


def _components(folder: Path) -> list[ComponentStatus]:
    """What is written down of each, and whether its process lives. Blocks."""
    return [_component(one, lives=is_alive(one.process)) for one in records.everything(folder)]


def _component(one: Record, *, lives: bool) -> ComponentStatus:
    return ComponentStatus(
        name=one.name,
        state=State.READY if lives else State.FAILED,
        pid=one.process.pid if lives else None,
        since=one.since,
        restarts=one.restarts,
        reason=one.reason if lives else "its process has ended",
    )


def _judged(own: Own, parts: list[ComponentStatus]) -> ClusterStatus:
    """As `status.judge`; an API that does not answer counts as a node that is not ready."""
    if not parts:
        reason = "none of its components was started yet"
        return ClusterStatus(own.name, ClusterState.WAITING, reason)
    judged = judge(own.name, parts, own.reason, was=True)
    return replace(judged, reason=own.reason) if own.reason else judged
