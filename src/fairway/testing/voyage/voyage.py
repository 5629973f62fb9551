"""One voyage: an installation comes up, people and faults have their way, and it all ends well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from fairway.gitops.kinds import APPLICATION
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, Json, Kind
from fairway.model.errors import FairwayError
from fairway.rollout.crds import ROLLOUT
from fairway.testing.voyage import verdict
from fairway.testing.voyage.goods import HOME, SHOP, Cargo
from fairway.testing.voyage.world import Process, VoyageWorld

BAD: Final = ("never", "crash")
_COLOURS: Final = ("red", "green", "blue")
_READY_S: Final = 60.0
_QUIET_S: Final = 150.0


class Plan(Struct, frozen=True, kw_only=True):
    """How wild a voyage is. `deeds` are what people do, `faults` what happens to them; `only` and
    `weather` name which of both there are (else all)."""

    deeds: int
    faults: int
    over_s: float
    steps: tuple[Json, ...]
    only: tuple[str, ...] = ()
    weather: tuple[str, ...] = ()


class Voyage:
    """Carries a plan out."""

    def __init__(self, world: VoyageWorld, plan: Plan, *, fleet: list[Cargo] | None = None) -> None:
        self.world: Any = world
        self.plan = plan
        self.random = world.random
        self.fleet = (
            fleet
            if fleet is not None
            else [
                Cargo("web", "east", "canary", steps=plan.steps),
                Cargo("shop", "hub", "blueGreen"),
                Cargo("site", "hub", "deployment"),
            ]
        )
        for cargo in self.fleet:
            world.clusters[cargo.cluster].fleet.append(cargo)
        self.good = {cargo.name: cargo.image for cargo in self.fleet}
        self._number = 0

    def open_ends(self) -> list[str]:
        """What has not come to its right end (yet)."""
        return verdict.open_ends(self.world, self.fleet)

    def check(self) -> None:
        """Judge it at its end. Raises `AssertionError` with all that is wrong."""
        verdict.check(self.world, self.fleet)

    async def run(self) -> None:
        """All of it. Raises `AssertionError` for what does not end."""
        tasks = [asyncio.get_running_loop().create_task(p.run()) for p in self.world.processes]
        try:
            await self._begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._at_times(self.plan.deeds, self._deed))
                group.create_task(self._at_times(self.plan.faults, self._fault))
            await self._end()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for process in self.world.processes:
                await process.life.buried()

    async def _begin(self) -> None:
        for cargo in self.fleet:
            self.world.push(cargo)
            await self._make_application(cargo)
        await self._sync("site")
        await self._until_good(_READY_S)
        self.world.note("all is up")

    async def _make_application(self, cargo: Cargo) -> None:
        body = cargo.application(heals=cargo.strategy != "deployment")
        while True:  # until the controllers have prepared the hub
            with contextlib.suppress(FairwayError):
                await self.world.clusters["hub"].kube().create(APPLICATION, body)
                return
            await asyncio.sleep(0.2)

    async def _until_good(
        self, seconds: float, help_: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Wait until all is as it shall be, twice in a row. `help_`: what people do meanwhile."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        good = 0
        while good < 2:
            await asyncio.sleep(2.0)
            if help_ is not None:
                await help_()
            told = self.open_ends()
            good = 0 if told else good + 1
            broken = [one for cluster in self.world.clusters.values() for one in cluster.broken]
            assert not broken, "\n".join(broken)
            assert not self.world.defects, repr(self.world.defects)
            assert loop.time() < ends, f"not within {seconds:g} s: {told}"

    async def _at_times(self, count: int, what: Callable[[], Any]) -> None:
        for _ in range(count):
            await asyncio.sleep(self.random.expovariate(count / self.plan.over_s))
            await what()

    # ---- what people do --------------------------------------------------------------------------

    async def _deed(self) -> None:
        deeds = (
            self._push_good, self._push_good, self._push_bad, self._push_config, self._push_extra,
            self._edit, self._delete, self._promote, self._abort, self._retry, self._sync_site,
        )  # fmt: skip
        with contextlib.suppress(FairwayError):  # people are refused now and then
            await self.random.choice(deeds)(self.random.choice(self.fleet))

    async def _push_good(self, cargo: Cargo) -> None:
        self._number += 1
        cargo.image = self.good[cargo.name] = f"good-{self._number}"
        self.world.push(cargo)

    async def _push_bad(self, cargo: Cargo) -> None:
        self._number += 1
        cargo.image = f"{self.random.choice(BAD)}-{self._number}"
        self.world.push(cargo)

    async def _push_config(self, cargo: Cargo) -> None:
        cargo.colour = self.random.choice(_COLOURS)
        self.world.push(cargo)

    async def _push_extra(self, cargo: Cargo) -> None:
        if cargo.extras and self.random.random() < 0.6:
            cargo.extras.pop()
        else:
            cargo.extras.append(f"extra{len(cargo.extras)}")
        self.world.push(cargo)

    async def _edit(self, cargo: Cargo) -> None:
        """`kubectl edit`: a configuration or an image by hand."""
        if self.random.random() < 0.5:
            body: Json = {"data": {"colour": "by hand"}}
            await self._patch(cargo, CONFIG_MAP, f"{cargo.name}-config", body)
        else:
            kind = DEPLOYMENT if cargo.strategy == "deployment" else ROLLOUT
            container = {"name": "main", "image": f"registry.invalid/{cargo.name}:hand"}
            body = {"spec": {"template": {"spec": {"containers": [container]}}}}
            await self._patch(cargo, kind, cargo.name, body)

    async def _delete(self, cargo: Cargo) -> None:
        self.world.note(f"by hand: delete {cargo.name}-config")
        kube = self.world.clusters[cargo.cluster].kube()
        await kube.delete(CONFIG_MAP, f"{cargo.name}-config", SHOP)

    async def _promote(self, cargo: Cargo) -> None:
        await self._tell_rollout(cargo, {"pauseConditions": None})

    async def _abort(self, cargo: Cargo) -> None:
        await self._tell_rollout(cargo, {"abort": True})

    async def _retry(self, cargo: Cargo) -> None:
        await self._tell_rollout(cargo, {"abort": False})

    async def _tell_rollout(self, cargo: Cargo, status: Json) -> None:
        if cargo.strategy != "deployment":
            await self._patch(cargo, ROLLOUT, cargo.name, {"status": status}, below="status")

    async def _sync_site(self, _cargo: Cargo) -> None:
        await self._sync("site")

    async def _sync(self, name: str) -> None:
        self.world.note(f"sync {name}")
        body = {"operation": {"sync": {"prune": True}, "initiatedBy": {"username": "someone"}}}
        await self.world.clusters["hub"].kube().patch(APPLICATION, name, HOME, body=body)

    async def _patch(
        self, cargo: Cargo, kind: Kind, name: str, body: Json, *, below: str = ""
    ) -> None:
        self.world.note(f"by hand: {kind.kind} {name} {body}")
        kube = self.world.clusters[cargo.cluster].kube()
        await kube.patch(kind, name, SHOP, body=body, subresource=below)

    # ---- what happens to them --------------------------------------------------------------------

    async def _fault(self) -> None:
        names = self.plan.weather or ("kill", "part", "storm", "cut", "forget", "jump")
        await getattr(self, f"_{self.random.choice(names)}")()

    async def _kill(self) -> None:
        process: Process = self.random.choice(self.world.processes)
        process.pause = lambda: self.random.choice((0.1, 2.0, 15.0))
        if self.random.random() < 0.5:
            process.life.die_at_write = process.life.writes + self.random.randrange(1, 4)
            process.life.write_counts = self.random.random() < 0.5
        else:
            process.life.die()

    async def _part(self) -> None:
        cluster = self.world.clusters["east"]
        self.world.note("east is cut off")
        cluster.part(parted=True)
        await asyncio.sleep(self.random.uniform(1, 20))
        cluster.part(parted=False)
        self.world.note("east is back")

    async def _storm(self) -> None:
        weather = self.world.clusters[self.random.choice(("hub", "east"))].weather
        weather.failures, weather.conflicts, weather.lost = 0.05, 0.1, 0.05
        weather.latency = (0.01, 0.5)
        await asyncio.sleep(self.random.uniform(1, 15))
        _calm(weather)

    async def _cut(self) -> None:
        self.world.clusters[self.random.choice(("hub", "east"))].api.cut()

    async def _forget(self) -> None:
        """The API server starts anew and keeps no history: watches are answered 410."""
        self.world.clusters[self.random.choice(("hub", "east"))].api.restart()

    async def _jump(self) -> None:
        """The time of day jumps ahead, past every lease."""
        self.world.jump(self.random.choice((1.0, 12.0, 40.0)))

    # ---- the end ---------------------------------------------------------------------------------

    def _is_busy(self, name: str) -> bool:
        app = self.world.app(name) or {}
        state = (app.get("status") or {}).get("operationState") or {}
        return bool(app.get("operation")) or state.get("phase") == "Running"

    def _calm(self) -> None:
        """Faults are over."""
        for cluster in self.world.clusters.values():
            _calm(cluster.weather)
            if cluster.weather.parted:
                cluster.part(parted=False)
        for process in self.world.processes:
            process.life.die_at_write = None
            process.pause = lambda: 0.1
        self.world.note("the end begins")

    async def _end(self) -> None:
        """Bad releases are taken back in Git, and what does not sync is synced."""
        self._calm()
        for cargo in self.fleet:
            if cargo.image != self.good[cargo.name]:
                cargo.image = self.good[cargo.name]
                self.world.push(cargo)
        # A manual sync is for what Git has when it begins: not beside one that is running.
        async with asyncio.timeout(_READY_S):
            while self._is_busy("site"):  # noqa: ASYNC110 the world has no events of its own
                await asyncio.sleep(1)
        await self._sync("site")
        await self._until_good(_QUIET_S)


def _calm(weather: Any) -> None:
    weather.failures = weather.conflicts = weather.lost = 0.0
    weather.latency = (0.001, 0.02)
