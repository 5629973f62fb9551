"""Follows the cluster's objects, gives Envoy what they say, and tells them what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fairway.gateway import events, live, statuses
from fairway.gateway.compose import compose
from fairway.gateway.refusals import ref_of
from fairway.gateway.settling import Envoy, Settled, Settler
from fairway.gateway.snapshot import Place, Ref, Warned, World, version_of
from fairway.gateway.watching import BY_NAME, Watched
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.kube import Json, Kube
from fairway.kube.errors import KubeConflict, KubeExists, KubeNotFound
from fairway.kube.kind import EVENT
from fairway.model.errors import FairwayError

_log = logging.getLogger(__name__)
_GATHER_S: Final = 0.003  # changes that come together are answered together
_RETRY_S: Final = 0.5
_RELEASE_S: Final = 30.0  # how long an object is held back before it is tried again
_SYNC_S: Final = 300.0
_SAVE_S: Final = 2.0
_WRITES: Final = 8  # at once


class Controller:
    """One Envoy's."""

    def __init__(self, kube: Kube, envoy: Envoy, place: Place, memory: Path) -> None:
        self.watched = Watched(kube)
        self.settled: Settled | None = None
        self.changed = Wake()  # something was confirmed
        self._kube, self._envoy, self._place = kube, envoy, place
        self._settler = Settler(compose, envoy, memory)
        self._assigned: Mapping[Ref, tuple[str, ...]] = {}
        self._told = Wake()
        self._warned: set[Warned] = set()

    def look_again(self) -> None:
        """Envoy was started anew: make sure of what it has."""
        self.watched.count += 1
        self.watched.changed.set()

    async def run(self) -> None:
        """Until cancelled. What fails is tried again."""
        await self._settler.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watched.run(), name="gateway's objects")
            group.create_task(self._settle(), name="gateway's settling")
            group.create_task(self._tell(), name="gateway's statuses")
            group.create_task(self._save(), name="gateway's memory")

    def live(self, ref: Ref) -> live.Live | None:
        """Which weights of a route are live, by Envoy's own word; None before its first one."""
        if self.settled is None:
            return None
        found = live.by_route(self._envoy.routes.values()).get(ref, [])
        return _live(ref, found)

    async def _settle(self) -> None:
        await self._synced()
        loop = asyncio.get_running_loop()
        seen = -1
        release = loop.time() + _RELEASE_S
        while True:
            if seen == self.watched.count:
                came = await self.watched.changed.wait(_RELEASE_S)
                if not came and not self._settler.holds:
                    continue
            if loop.time() > release:
                self._settler.release()
                release = loop.time() + _RELEASE_S
            await asyncio.sleep(_GATHER_S)
            seen = await self._once()

    async def _synced(self) -> None:
        while True:
            try:
                await self.watched.wait_synced(_SYNC_S)
            except FairwayError as error:
                _log.warning("the gateway waits for the cluster: %s", error)
            else:
                return

    async def _once(self) -> int:
        """Bring Envoy to what there is now; up to which change."""
        count = self.watched.count
        world = World(self._place, self.watched.objects(), assigned=self._assigned)
        try:
            self.settled = await self._settler.settle(world)
        except FairwayError as error:
            _log.warning("the gateway's configuration is not live: %s", error)
            await asyncio.sleep(_RETRY_S)
            return -1
        self._assigned = self.settled.told.addresses
        self.changed.set()
        self._told.set()
        return count

    # ---- statuses --------------------------------------------------------------------------------

    async def _tell(self) -> None:
        done: Settled | None = None
        while True:
            settled = self.settled
            if settled is None or settled is done:
                await self._told.wait(_RELEASE_S)
            elif await self._write_all(settled) and await self._warn(settled):
                done = settled
            elif self.settled is settled:
                await self._told.wait(_RETRY_S)  # what has changed meanwhile is settled soon

    async def _write_all(self, settled: Settled) -> bool:
        """Write every status that differs; whether all could be."""
        limit = asyncio.Semaphore(_WRITES)
        routes = live.by_route(self._envoy.routes.values())
        results: list[bool] = []

        async def write(ref: Ref, found: Json, status: Mapping[str, Any]) -> None:
            async with limit:
                results.append(await self._write(ref, found, status))

        async with asyncio.TaskGroup() as group:
            for ref, status in settled.told.statuses.items():
                found = self.watched.find(ref)
                if found is None:
                    continue
                said = self._with_live(ref, status, settled, routes)
                wanted = statuses.wanted(said, found, _now())
                if wanted is not None:
                    group.create_task(write(ref, found, wanted), name=f"status of {ref}")
            for ref, found in self._left(settled):
                gone = statuses.withdrawn(ref.kind, found)
                if gone is not None:
                    group.create_task(write(ref, found, gone), name=f"status of {ref}")
        return all(results)

    async def _warn(self, settled: Settled) -> bool:
        """Let each warning be heard once."""
        for warned in settled.told.warnings:
            found = self.watched.find(warned.ref)
            if found is None or warned in self._warned:
                continue
            try:
                await self._kube.create(EVENT, events.event(warned, found, _now()))
            except KubeExists:
                pass  # it was said by a former Fairway, or another pod
            except FairwayError as error:
                _log.warning("an event on %s cannot be written: %s", warned.ref, error)
                return False
            self._warned.add(warned)
        self._warned &= set(settled.told.warnings)
        return True

    def _left(self, settled: Settled) -> list[tuple[Ref, Json]]:
        """Routes and policies that we say nothing about any more."""
        return [
            (ref, found)
            for kind in statuses.SHARED
            for found in self.watched.of(kind)
            if (ref := ref_of(kind, found)) not in settled.told.statuses
        ]

    def _with_live(
        self,
        ref: Ref,
        status: Mapping[str, Any],
        settled: Settled,
        routes: Mapping[Ref, list[Mapping[str, Any]]],
    ) -> Mapping[str, Any]:
        """A route's status with which of its weights are live, for each parent that takes it."""
        if ref.kind not in statuses.ROUTES:
            return status
        held = settled.held.get(ref)
        now = _live(ref, routes.get(ref, []))
        return live.with_condition(status, now, held.message if held else "")

    async def _write(self, ref: Ref, found: Json, status: Mapping[str, Any]) -> bool:
        body = statuses.applied(ref, found, status)
        kind = BY_NAME[ref.kind]
        try:
            written = await self._kube.apply(kind, body, subresource="status", force=True)
        except KubeNotFound:
            return True  # it went meanwhile
        except KubeConflict:
            return False  # it changed meanwhile: its newer version comes
        except FairwayError as error:
            _log.warning("the status of %s cannot be written: %s", ref, error)
            return False
        self.watched.observe(ref.kind, written)
        return True

    async def _save(self) -> None:
        while True:
            await self.changed.wait(_RELEASE_S)
            try:
                await self._settler.save()
            except OSError as error:
                _log.warning("what the gateway holds back cannot be remembered: %s", error)
            await asyncio.sleep(_SAVE_S)


def _live(ref: Ref, routes: list[Mapping[str, Any]]) -> live.Live:
    """The version is of this object's routes alone: other objects' changes leave it as it is."""
    return live.live(routes, version_of({str(ref): {"routes": routes}}))


def _now() -> str:
    """As Kubernetes writes times: whole seconds."""
    text = clock.text(clock.now()) or ""
    return text.partition(".")[0] + "Z"
