"""The world of a voyage: what outlives the controllers' processes, and the processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from fairway.gateway.live import told
from fairway.gitops.controller import Controller, GitOpsSettings, Parts
from fairway.gitops.kinds import APPLICATION
from fairway.kit import clock
from fairway.kube.kind import Json
from fairway.queue.shards import Shards
from fairway.rollout.fleet import KIND, Rollouts
from fairway.rollout.matching import Equality
from fairway.rollout.routers.gateway_api import GatewayApi
from fairway.store.database import Database, sqlite_url
from fairway.testing.fleet import StaticFleet
from fairway.testing.life import Killed, Life, SimulatedDatabase, WorldDatabase, enter
from fairway.testing.virtual import VirtualLoop
from fairway.testing.voyage.clusters import SimCluster
from fairway.testing.voyage.goods import HOME, SHOP, Cargo
from fairway.testing.voyage.sources import PlainToolbox, SimulatedManifests
from fairway.testing.world import EPOCH

CLUSTERS: Final = ("hub", "east")


class VoyageWorld:
    """Two clusters, Git, a database, and two processes that share the work."""

    def __init__(
        self,
        loop: VirtualLoop,
        folder: Path,
        *,
        known: bool,
        namespaces: Sequence[str] = (SHOP,),
    ) -> None:
        """`known`: the clusters have our kinds from the start."""
        self.loop = loop
        self.random = loop.random
        self.path = folder / "fairway.db"
        enter(self.path)
        self.trace: list[str] = []
        self.defects: list[BaseException] = []
        self.git = SimulatedManifests()
        self.ahead = 0.0  # how far the time of day has jumped
        self.jumps: list[tuple[float, float]] = []  # from and to which time of day
        seeded = [random.Random(self.random.random()) for _ in CLUSTERS]  # noqa: S311 seeded
        self.clusters = {
            name: SimCluster(name, source, self.note, known=known, namespaces=namespaces)
            for name, source in zip(CLUSTERS, seeded, strict=True)
        }
        self.processes = [self.make_process(name) for name in ("first", "second")]
        loop.set_exception_handler(self._failed)

    def _failed(self, _loop: Any, context: dict[str, Any]) -> None:
        """A defect in a timer of the world itself."""
        self.defects.append(context.get("exception") or RuntimeError(str(context)))

    def make_process(self, name: str) -> Process:
        """One that is not started yet."""
        return Process(self, name)

    def time_of_day(self) -> float:
        """For `clock.use`."""
        return EPOCH + self.loop.time() + self.ahead

    def jump(self, seconds: float) -> None:
        """The time of day jumps ahead."""
        before = self.time_of_day()
        self.ahead += seconds
        self.jumps.append((before, self.time_of_day()))
        self.note(f"it is {self.ahead:g} s later at once")

    def note(self, what: str) -> None:
        """A line of the trace, with its time."""
        self.trace.append(f"{self.loop.time():9.3f} {what}")

    def app(self, name: str) -> Json | None:
        """An Application as it is."""
        return self.clusters["hub"].api.find(APPLICATION, name, HOME)

    def push(self, cargo: Cargo) -> None:
        """Commit what a cargo is now; every process hears of it."""
        revision = self.git.commit(cargo.name, *cargo.manifests())
        self.note(f"push {cargo.name} {cargo.image} {cargo.colour} {cargo.extras} {revision[:7]}")
        for process in self.processes:
            if process.controller is not None:
                process.controller.refresh(lambda source: source.get("path") == cargo.name)

    def inspect(self) -> Database:
        """The database as a bystander sees it."""
        return WorldDatabase(sqlite_url(self.path), durable=False)


class Process:
    """One process with the role controllers, incarnation after incarnation."""

    def __init__(self, world: Any, name: str) -> None:
        self.world: Any = world
        self.name = name
        self.life = Life(name)
        self.life.alive = False
        self.starts = 0
        self.pause: Callable[[], float] = lambda: 0.5
        self.controller: Controller | None = None
        self._source = random.Random(name)  # noqa: S311 the same in every run

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.starts += 1
            self.life = Life(f"{self.name}.{self.starts}")
            self.world.note(f"{self.life.name} starts")
            for work, name in self.works(self.life):
                self.life.start(_mortal(work, self.life, self.world), name)
            try:
                await self.life.dead.wait()
            finally:
                self.controller = None
                self.life.die()
            self.world.note(f"{self.life.name} dies")
            await self.life.buried()
            await asyncio.sleep(self.pause())

    def works(self, life: Life) -> list[tuple[Coroutine[Any, Any, None], str]]:
        """Everything that runs in an incarnation."""
        world = self.world
        database = SimulatedDatabase(world.path, life)
        fleet = StaticFleet(**{name: one.kube(life) for name, one in world.clusters.items()})
        toolbox: Any = PlainToolbox()
        shards = Shards(database, "application", self.name)
        parts = Parts(fleet=fleet, manifests=world.git, toolbox=toolbox, shards=shards)
        self.controller = Controller(parts, GitOpsSettings(namespace=HOME, poll_s=20, spread_s=5))
        self.controller._spread = self._source  # noqa: SLF001 chance is to be repeatable
        rollouts = Rollouts(
            fleet,
            Shards(database, KIND, self.name),
            database=database,
            router=GatewayApi(told),
            equality=Equality(None),
        )
        return [
            (shards.run(), "shards of applications"),
            (self.controller.run(), "applications"),
            (rollouts.run(), "rollouts"),
        ]


async def _mortal(work: Coroutine[Any, Any, None], life: Life, world: VoyageWorld) -> None:
    """Run until death. What ends it otherwise is a defect, which ends the voyage."""
    try:
        await work
    except BaseException as error:  # noqa: BLE001 whatever it is, the voyage ends with it
        if life.alive:
            world.defects.append(error)
            life.die()
        elif not _only_death(error):
            world.defects.append(error)


def _only_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_death(one) for one in error.exceptions)
    return isinstance(error, Killed | asyncio.CancelledError)


def begin_clock(world: VoyageWorld) -> Callable[[], float]:
    """Give the whole process this world's time of day; returns the former source."""
    return clock.use(world.time_of_day)
