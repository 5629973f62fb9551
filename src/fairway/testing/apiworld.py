"""The API's services over a real store, with people, repositories and builds to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fairway.access.authorise import Access
from fairway.access.keyring import open_keyring
from fairway.access.tokens import mint
from fairway.api.hub import Hub
from fairway.api.services import Addresses, Services
from fairway.git.folders import Folders
from fairway.git.writing import Writes
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.build import Build
from fairway.model.events import BuildFinished
from fairway.model.stage import NewStage, NewStep
from fairway.model.status import Status
from fairway.model.token import TokenScope
from fairway.monitor.requests import Requests
from fairway.pipeline.builds import Builds
from fairway.pipeline.dispatch_local import LocalDispatch
from fairway.pipeline.facts import Installation
from fairway.pipeline.files import FileSignatures
from fairway.pipeline.leases import Leases
from fairway.pipeline.logs import Logs
from fairway.pipeline.secrets import Secrets
from fairway.source.announce import Announcer
from fairway.source.change_course import ChangeCourse
from fairway.source.change_requests import ChangeRequests
from fairway.source.crons import Crons
from fairway.source.remotes import RemoteDeps, Remotes
from fairway.source.repositories import Repositories
from fairway.source.writing import Writer
from fairway.store import builds, logs, outbox, stages, steps
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs
from fairway.testing.changetests import PlayedTests
from fairway.testing.people import People
from fairway.testing.pipeline import MemorySignatures, MemorySources, NoTemplates

URL = "http://fairway.test"
ADDRESSES = Addresses(external_url=URL, registry="127.0.0.1:8480", version="test")


class Current:
    """Stands for the services of the world that a test is in: one application serves them all."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.world: ApiWorld | None = None

    @property
    def addresses(self) -> Addresses:
        """The same in every world."""
        return ADDRESSES

    def __getattr__(self, name: str) -> Any:
        if self.world is None:
            raise AttributeError(name)
        return getattr(self.world.services, name)


class ApiWorld:
    """`tide/app` has build 1 (failed) and 2 (running); see `People` for who is there."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.people = People(database)
        self.database = database
        self.folder = folder
        self.builds = [
            database.write_now(self._build, status=Status.FAILED, after="a" * 40, title="first"),
            database.write_now(self._build, status=Status.RUNNING, after="b" * 40, title="second"),
        ]
        self.wake = Wake()
        self.sources = MemorySources()
        self.logs = Logs(database, MemoryBlobs())
        self.tests = PlayedTests()
        self.services = self._services()

    def _services(self) -> Services:
        database, installation = self.database, Installation(url=URL)
        keyring = open_keyring(self.folder / "keys" / "keys.json")
        secrets = Secrets(database, keyring)
        folders = Folders(self.folder / "git")
        announcer = Announcer(database, folders, database.events)
        self._can_write(folders, announcer)
        return Services(
            database=database,
            tokens=self.people.tokens,
            access=Access(database),
            addresses=ADDRESSES,
            builds=Builds(
                database,
                self.sources,
                signatures=MemorySignatures(),
                templates=NoTemplates(),
                installation=installation,
                wake=self.wake,
            ),
            logs=self.logs,
            hub=Hub(database),
            secrets=secrets,
            dispatch=LocalDispatch(
                database,
                self.logs,
                Leases(secrets, installation, registry="127.0.0.1:8480"),
                wake=self.wake,
            ),
            repositories=Repositories(database, folders),
            changes=ChangeRequests(database, self.writer, self.course, url=URL),
            crons=Crons(database, Wake()),
            remotes=Remotes(
                RemoteDeps(database=database, folders=folders, announcer=announcer, keyring=keyring)
            ),
            signatures=FileSignatures(database, keyring),
            keyring=keyring,
            wake=self.wake,
        )

    def _can_write(self, folders: Folders, announcer: Announcer) -> None:
        folders.prepare()
        self.writer = Writer(self.database, Writes(folders), folders, announcer)
        self.course = ChangeCourse(self.database, self.writer, self.tests)

    def step(self, build: int, number: int) -> int:
        """The row of a step of the n-th build's only stage."""

        def work(db: Connection) -> int:
            stage = stages.of_build(db, self.builds[build - 1].id)[0]
            return steps.at(db, stage.id, number).id

        return self.database.read_now(work)

    async def log(self, build: int, number: int, text: str, *, end: bool = True) -> None:
        """Write to a step's log, at its end."""
        row = self.step(build, number)
        have = sum(log.size for log in await self.database.read(logs.of_step, row))
        data = text.encode()
        await self.logs.append(row, 1, offset=have, raw=have + len(data), data=data)
        if end:
            await self.logs.end(row, 1)

    def finish(self, build: int, status: Status) -> None:
        """End a build with its stage and steps, and tell of it."""

        def work(db: Connection) -> None:
            found = builds.find(db, self.builds[build - 1].id)
            stage = stages.of_build(db, found.id)[0]
            now = clock.now()
            steps.close(db, stage.id, running=status, pending=Status.SKIPPED, now=now)
            stages.change(db, stage.id, status=status, stopped=now)
            builds.change(db, found.id, status=status, finished=now)
            event = BuildFinished(
                repository=found.repository,
                slug="tide/app",
                build=found.id,
                number=found.number,
                status=str(status),
                event=found.event,
                ref=found.ref,
                after=found.after,
            )
            outbox.append(db, event)

        self.database.write_now(work)

    def token(self, login: str, *scopes: TokenScope) -> str:
        """A token's value for a user; scope admin unless others are given."""
        made = self.database.write_now(
            mint,
            self.people.ids[login],
            name="test",
            scopes=scopes or [TokenScope.ADMIN],
            actor="test",
        )
        return made.value.reveal()

    def _build(self, db: Connection, *, status: Status, after: str, title: str) -> Build:
        repository = self.people.ids["tide/app"]
        now = clock.now()
        values: dict[str, Any] = {
            "repository": repository,
            "event": "push",
            "status": status,
            "ref": "refs/heads/main",
            "target": "main",
            "after": after,
            "title": title,
            "author_login": "wim",
            "trigger": "@hook",
            "started": now - 60_000,
            "finished": now if status.done else None,
        }
        made = builds.create(db, values)
        stages.create(db, made.id, repository, _stage(status, now))
        return made


def _stage(status: Status, now: int) -> NewStage:
    done = status.done
    return NewStage(
        number=1,
        name="default",
        status=status,
        steps=[
            NewStep(number=1, name="clone", status=Status.PASSED, started=now - 60_000,
                    stopped=now - 58_000),
            NewStep(number=2, name="test", status=status, image="python:3.11",
                    exit_code=1 if status is Status.FAILED else 0, depends_on=["clone"],
                    started=now - 58_000, stopped=now if done else None),
            NewStep(number=3, name="image", depends_on=["test"],
                    status=Status.SKIPPED if done else Status.PENDING),
        ],
    )  # fmt: skip
