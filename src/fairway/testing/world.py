"""The simulated world: the real application in virtual time, with everything around it simulated.

What outlives a crash lies in `World`: the database file, blobs, Git, engines, workspaces. What does
not is made anew with each incarnation of a process. Faults come from `Chaos`, all of it seeded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from fairway.access.keyring import Keyring
from fairway.app import App, make_runner
from fairway.kit import clock
from fairway.pipeline.dispatch import Lease, Orders, Runner, StageReport, StepReport
from fairway.pipeline.engine import Place
from fairway.pipeline.files import TemplateFiles
from fairway.pipeline.graph import StepGraph
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.runner.report_files import FileReports
from fairway.ports import Ports, RunnerPorts
from fairway.settings import Runner as RunnerSection
from fairway.settings import Settings
from fairway.source.announce import Announcer
from fairway.source.writing import Writer
from fairway.store.database import Database, sqlite_url
from fairway.testing.blob import MemoryBlobs
from fairway.testing.engine import Recipe, SimulatedEngine, Trouble, from_script
from fairway.testing.files import FLAKY, MISSING
from fairway.testing.git import SimulatedGit
from fairway.testing.gitwrites import SimulatedWrites
from fairway.testing.life import Killed, Life, Severed, SimulatedDatabase, WorldDatabase, enter
from fairway.testing.virtual import VirtualLoop
from fairway.testing.workspaces import MemoryWorkspaces

INSTALLATION = "simulated"
T = TypeVar("T")
EPOCH = 1_767_225_600.0  # 2026-01-01: when every history begins
INSTALLATION = "simulated"
ROOM = 100 * 1024**3


class NoSignatures:
    """No file is signed."""

    async def signed(self, repository_id: int, text: str) -> bool:
        """Never."""
        del repository_id, text
        return False


class AmpleDisk:
    """There is always room."""

    async def free(self) -> int | None:
        """Much."""
        return ROOM


class SimulatedPlugin:
    """A built-in plugin that takes a while."""

    async def run(self, job: Job) -> PluginEnd:
        """Say one line."""
        await asyncio.sleep(0.3)
        await job.log(b"cloned\n")
        return PluginEnd()


class Machine:
    """A runner's machine: its engine and its workspaces outlive the runner."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.recipes: dict[tuple[str, int, int], Recipe] = {}
        self.engine = SimulatedEngine(
            owner=name,
            cook=self._cook,
            trouble=world.trouble,
            source=random.Random(world.loop.random.random()),  # noqa: S311 seeded
        )
        self.engine.missing.add(f"docker.io/{MISSING}:latest")
        self.engine.missing.add(f"{MISSING}:latest")
        self.workspaces = MemoryWorkspaces()
        self.doomed: Life | None = None  # what dies right after the next start of a container
        self._world = world
        self._note = world.note

    def _cook(self, place: Place, step: StepGraph, environment: Any, attempt: int) -> Recipe:
        recipe = from_script(place, step, environment, attempt)
        for line in step.script.splitlines():
            word, _, code = line.partition(" ")
            if word == FLAKY and environment.get("DRONE_BUILD_PARENT", "0") == "0":
                recipe = Recipe(recipe.acts, int(code))
        self.recipes[place.key, step.number, attempt] = recipe
        if self.doomed is not None:
            self._world.light(self.doomed, self._world.random.randrange(1, 5))
            self.doomed = None
        self._note(f"{self.name} starts {place.key} {step.number} {attempt}")
        return recipe

    def ports(self, life: Life) -> RunnerPorts:
        """What a runner of this machine stands on."""
        plugins = {name: SimulatedPlugin() for name in ("clone", "docker", "webhook", "slack")}
        engine: Any = Severed(self.engine, life)
        return RunnerPorts(
            engines={"docker": engine},
            plugins=plugins,
            workspaces=self.workspaces,
            reports=FileReports(),
            spread=random.Random(life.name),  # noqa: S311 the same in every run
        )


class World:
    """Everything that outlives a crash."""

    def __init__(self, loop: VirtualLoop, folder: Path, trouble: Trouble | None = None) -> None:
        self.loop = loop
        self.random = loop.random
        self.path = folder / "fairway.db"
        enter(self.path)
        self.trouble = trouble or Trouble()
        self.trace: list[str] = []
        self.git = SimulatedGit()
        self.writes = SimulatedWrites(self.git)
        self.blobs = MemoryBlobs()
        self.keyring = Keyring({"k": bytes(32)}, "k")
        self.machines = {name: Machine(name, self) for name in ("alice", "bob")}
        self.server = Server(self)
        self.bob = RemoteRunner(self, "bob")
        self.defects: list[BaseException] = []
        self._fuses: list[tuple[int, Life]] = []
        loop.on_step = self._burn

    def note(self, what: str) -> None:
        """A line of the trace, with its time."""
        self.trace.append(f"{self.loop.time():9.3f} {what}")

    def light(self, life: Life, steps: int) -> None:
        """Let a life end after so many steps of the loop: at whatever await that is."""
        self._fuses.append((self.loop.steps + steps, life))

    def _burn(self) -> None:
        while self._fuses and min(self._fuses, key=lambda fuse: fuse[0])[0] <= self.loop.steps:
            fuse = min(self._fuses, key=lambda one: one[0])
            self._fuses.remove(fuse)
            fuse[1].die()

    def moved(self) -> set[int]:
        """Stages that more than one machine has had."""
        had: dict[str, set[str]] = {}
        for machine in self.machines.values():
            for key, _, _ in machine.recipes:
                had.setdefault(key, set()).add(machine.name)
        return {int(key.rpartition("-s")[2]) for key, names in had.items() if len(names) > 1}

    def trouble_over(self) -> None:
        """From now on everything answers at once."""
        for machine in self.machines.values():
            machine.engine.trouble = Trouble()
            machine.engine.down = False

    def inspect(self) -> Database:
        """The database as a bystander sees it. Close it."""
        return WorldDatabase(sqlite_url(self.path), durable=False)


class Process:
    """Something that runs, may be killed, and is started again. Subclasses say what runs."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.life = Life(name)
        self.life.alive = False
        self.up = asyncio.Event()
        self.starts = 0
        self.pause: Callable[[], float] = lambda: 0.0
        self.gone = False  # it does not come back

    async def run(self) -> None:
        """Incarnation after incarnation, until cancelled."""
        while not self.gone:
            self.starts += 1
            self.life = Life(f"{self.name}.{self.starts}", self.world.note)
            close = self.begin(self.life)
            self.up.set()
            await self.life.dead.wait()
            self.up.clear()
            self.world.note(f"{self.life.name} dies")
            await self.life.buried()
            close()
            await asyncio.sleep(self.pause())

    @property
    def machine(self) -> Machine:
        """Where it runs containers."""
        return self.world.machines["alice" if self.name == "server" else self.name]

    def begin(self, life: Life) -> Callable[[], None]:
        """Start an incarnation; returns what closes its files after its death."""
        raise NotImplementedError


class Server(Process):
    """The main process: controllers, dispatch and the runner `alice`."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "server")
        self.app: App
        self.announcer: Announcer

    def begin(self, life: Life) -> Callable[[], None]:
        """The real application on severed ports."""
        world, machine = self.world, self.world.machines["alice"]
        database = SimulatedDatabase(world.path, life)
        git: Any = Severed(world.git, life)
        blobs: Any = Severed(world.blobs, life)
        writes: Any = Severed(world.writes, life)
        folders = world.git.folders
        self.announcer = Announcer(database, folders, database.events)
        ports = Ports(
            database=database,
            blobs=blobs,
            keyring=world.keyring,
            sources=git,
            signatures=NoSignatures(),
            templates=TemplateFiles(database, git),
            disk=AmpleDisk(),
            installation=INSTALLATION,
            holder="server",
            writer=Writer(database, writes, folders, self.announcer),
            runner=machine.ports(life),
        )
        self.app = App(settings("alice", ("controllers", "runner")), ports)
        work = self.app.run(self.announcer.run())
        life.start(_mortal(work, life, world), "app")
        return database.close

    async def ask(self, work: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        """A request to the application; `Unavailable` when it is down or dies over it."""
        app = self.app
        return await self.life.call(lambda: work(app))


class RemoteRunner(Process):
    """A runner on another machine: it reaches the server's dispatch, or does not."""

    def begin(self, life: Life) -> Callable[[], None]:
        """The real runner over a line that breaks with the server."""
        ports = self.world.machines[self.name].ports(life)
        dispatch: Any = Severed(RemoteDispatch(self.world), life)
        runner = make_runner(settings(self.name, ("runner",)), ports, dispatch, owner=INSTALLATION)
        life.start(_mortal(runner.run(), life, self.world), "runner")
        return lambda: None


class RemoteDispatch:
    """`Dispatch` over a line to whatever incarnation of the server answers now."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def _ask(self, work: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        await asyncio.sleep(0.001)
        return await self._world.server.ask(work)

    async def lease(self, runner: Runner, *, wait_s: float = 30.0) -> Lease | None:
        """See `Dispatch`."""
        return await self._ask(lambda app: app.dispatch.lease(runner, wait_s=wait_s))

    async def renew(self, stage: int, token: str) -> Orders:
        """See `Dispatch`."""
        return await self._ask(lambda app: app.dispatch.renew(stage, token))

    async def step(self, stage: int, token: str, report: StepReport) -> Orders:
        """See `Dispatch`."""
        return await self._ask(lambda app: app.dispatch.step(stage, token, report))

    async def append(
        self, stage: int, token: str, step: int, *, attempt: int, offset: int, raw: int, data: bytes
    ) -> int:
        """See `Dispatch`."""
        return await self._ask(
            lambda app: app.dispatch.append(
                stage, token, step, attempt=attempt, offset=offset, raw=raw, data=data
            )
        )

    async def end_log(self, stage: int, token: str, step: int, *, attempt: int) -> None:
        """See `Dispatch`."""
        await self._ask(lambda app: app.dispatch.end_log(stage, token, step, attempt=attempt))

    async def finish(self, stage: int, token: str, report: StageReport) -> None:
        """See `Dispatch`."""
        await self._ask(lambda app: app.dispatch.finish(stage, token, report))


def settings(name: str, roles: tuple[str, ...]) -> Settings:
    """The settings of one process."""
    return Settings(
        data=Path("/nowhere"),
        roles=roles,
        runner=RunnerSection(name=name, capacity=2),
    )


async def _mortal(work: Coroutine[Any, Any, None], life: Life, world: World) -> None:
    """Run until death. What ends it otherwise is a defect, which ends the history."""
    try:
        await work
    except BaseException as error:  # noqa: BLE001 whatever it is, the history ends with it
        if life.alive:
            world.defects.append(error)
            life.die()
        elif not _only_death(error):
            world.defects.append(error)


def _only_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_death(one) for one in error.exceptions)
    return isinstance(error, Killed | asyncio.CancelledError)


def begin_clock(loop: VirtualLoop) -> Callable[[], float]:
    """Give the whole process this loop's time of day; returns the former source."""
    return clock.use(lambda: EPOCH + loop.time())
