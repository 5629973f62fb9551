"""The world of voyages with releases: the whole application but its HTTP and its runner, with Git,
registry, builds and chat around it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.access.keyring import Keyring
from fairway.app import App
from fairway.boot import analysis, gitops, release, rollouts
from fairway.kit.secret import Secret
from fairway.model.notice import Channel, ChannelKind, Rule
from fairway.model.token import TokenScope
from fairway.notify import keeping
from fairway.pipeline.files import TemplateFiles
from fairway.ports import Ports
from fairway.settings import GitOps, Release, Settings
from fairway.source.announce import Announcer, stamp
from fairway.source.writing import Writer
from fairway.store import organisations, promotions, releases, repositories, users
from fairway.testing.blob import MemoryBlobs
from fairway.testing.fleet import StaticFleet
from fairway.testing.git import SimulatedGit
from fairway.testing.gitwrites import SimulatedWrites
from fairway.testing.life import Life, Severed, SimulatedDatabase
from fairway.testing.slack import TOKEN, Line, Said, Workspace
from fairway.testing.virtual import VirtualLoop
from fairway.testing.voyage.builds import Builder
from fairway.testing.voyage.goods import HOME
from fairway.testing.voyage.helm import ChartToolbox
from fairway.testing.voyage.ledger import Ledger
from fairway.testing.voyage.reads import SimulatedReads
from fairway.testing.voyage.shop import DELIVERY, ENVIRONMENTS, PEOPLE, Berth, Shape
from fairway.testing.voyage.world import Process, VoyageWorld
from fairway.testing.world import AmpleDisk, NoSignatures

CHANNEL: Final = "C1"
MAIN: Final = "refs/heads/main"


class ReleaseWorld(VoyageWorld):
    """Two clusters, two processes, and everything that a release passes."""

    def __init__(self, loop: VirtualLoop, folder: Path, *, known: bool, shape: Shape) -> None:
        self.shape = shape
        self.folder = folder
        self.code = SimulatedGit()
        self.writes = SimulatedWrites(self.code)
        self.blobs = MemoryBlobs()
        self.keyring = Keyring({"k": bytes(32)}, "k")
        self.workspace = Workspace(on_change=self._told)
        self.line = Line(self.workspace)
        self.numbers: dict[str, int] = {}
        self.people: dict[str, Identity] = {}
        super().__init__(loop, folder, known=known, namespaces=shape.places)
        self.database = self.inspect()
        self.builder = Builder(self.database, self.blobs, self.numbers)
        self.ledger = Ledger(
            self.builder.made,
            shape,
            self.time_of_day,
            self.note,
            begun=self._begun,
            jumps=self.jumps,
        )
        for cluster in self.clusters.values():
            cluster.judge = self.ledger.fate
            cluster.api.on_change(lambda place, _before, after: self.ledger.saw(place, after))
            cluster.fleet += [one.cargo for one in shape.berths if one.cluster == cluster.name]

    def make_process(self, name: str) -> ReleaseProcess:
        """One with the whole application."""
        return ReleaseProcess(self, name)

    def _begun(self, berth: Berth, digest: str) -> float:
        """When the newest promotion of a digest there was begun, as it is written down."""
        lane = self.database.read_now(promotions.lane, DELIVERY, berth.environment, berth.service)
        known = self.database.read_now(releases.some, {one.release for one in lane})
        found = [one.started or 0 for one in lane if known[one.release].digest == digest]
        return max(found, default=0) / 1000

    def _told(self, what: str, message: Said) -> None:
        key = message["metadata"]["event_payload"]["key"]
        if "thread_ts" not in message:
            self.note(f"chat: {key} {what}: {message['text'].rpartition('|')[2]}")

    def fill(self) -> None:
        """Users, repositories and a channel. The time of day must be the world's."""
        self.database.write_now(self._fill)

    def _fill(self, db: Connection) -> None:
        for login in PEOPLE:
            made = users.create(db, login, email=f"{login}@example.org", admin=True)
            self.people[login] = Identity(
                user_id=made.id, login=login, admin=True, scopes=frozenset({TokenScope.ADMIN})
            )
        home = organisations.create(db, "acme").id
        for slug in (*(f"acme/{one}" for one in self.shape.services), ENVIRONMENTS):
            made_of = repositories.create(db, organisation=home, slug=slug, values={})
            self.numbers[slug] = made_of.id
            self.code.folders.ensure(made_of.id, stamp(made_of), "main")
        channel = Channel(id=0, name="crew", kind=ChannelKind.SLACK, address=CHANNEL)
        keeping.put(db, "ada", channel, secret=Secret(TOKEN), sealer=self.keyring)
        keeping.put_rule(db, "ada", Rule(id=0, name="all", channel="crew"))

    def head(self, slug: str) -> str:
        """The newest commit of a repository; "" for none."""
        return self.code.folders.refs(self.numbers[slug]).get(MAIN, "")

    def text(self, slug: str, path: str) -> str:
        """A file as Git has it now; "" for none."""
        found = self.code.files(self.numbers[slug], self.head(slug)) or {}
        return found.get(path, "")

    def commit(self, slug: str, files: dict[str, str], message: str) -> str:
        """A person's push."""
        number = self.numbers[slug]
        sha = self.code.write(number, files, message=message, parent=self.head(slug))
        self.code.folders.all_refs.setdefault(number, {})[MAIN] = sha
        self.note(f"push {slug} {sha[:7]} {message}")
        return sha


class ReleaseProcess(Process):
    """One process with the role controllers: the application as `boot` puts it together."""

    world: ReleaseWorld
    app: App
    announcer: Announcer

    def works(self, life: Life) -> list[tuple[Coroutine[Any, Any, None], str]]:
        """Everything that runs in it."""
        world = self.world
        folders = world.code.folders
        database = SimulatedDatabase(world.path, life)
        announcer = self.announcer = Announcer(database, folders, database.events)
        settings = Settings(
            data=world.folder,
            roles=("controllers",),
            gitops=GitOps(namespace=HOME, poll_s=20, spread_s=5),
            release=Release(install_s=15),
        )
        app = self.app = App(settings, self._ports(life, database, announcer))
        reads: Any = Severed(SimulatedReads(world.code), life)
        opened: Any = SimpleNamespace(
            database=database, reads=reads, folders=folders, blobs=app.ports.blobs
        )
        applications, rolling = gitops.applications(app, opened), rollouts.controller(app)
        releasing, judging = release.controller(app, opened), analysis.controller(app, None)
        assert applications is not None, "there is a fleet"
        assert rolling is not None, "there is a fleet"
        assert releasing is not None, "there is a fleet"
        assert judging is not None, "there is a fleet"
        self.controller = applications.controller
        self.controller._spread = random.Random(life.name)  # noqa: SLF001, S311 repeatable
        works = [
            (app.run(), "app"),
            (applications.run(), "applications"),
            (rolling.run(), "rollouts"),
            (releasing.run(), "releases"),
            (judging.run(), "analysis"),
        ]
        if self.name == "first":  # the one with the role git
            works.append((announcer.run(), "refs"))
        return works

    def _ports(self, life: Life, database: SimulatedDatabase, announcer: Announcer) -> Ports:
        world = self.world
        code: Any = Severed(world.code, life)
        writes: Any = Severed(world.writes, life)
        blobs: Any = Severed(world.blobs, life)
        line: Any = Severed(world.line, life)
        toolbox: Any = ChartToolbox()
        return Ports(
            database=database,
            blobs=blobs,
            keyring=world.keyring,
            sources=code,
            signatures=NoSignatures(),
            templates=TemplateFiles(database, code),
            disk=AmpleDisk(),
            installation="simulated",
            writer=Writer(database, writes, world.code.folders, announcer),
            holder=self.name,
            notices=line,
            fleet=StaticFleet(**{name: one.kube(life) for name, one in world.clusters.items()}),
            toolbox=toolbox,
        )

    async def ask(self, work: Any) -> Any:
        """A request to this process; `Unavailable` when it is down or dies over it."""
        if not self.life.alive:
            await asyncio.sleep(0.1)
        return await self.life.call(work)
