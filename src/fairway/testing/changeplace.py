"""A repository with change requests, over real folders or the simulated ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.git.folders import Folders
from fairway.git.writing import Author, Method, Writes
from fairway.kit.aio import Wake
from fairway.model.change_request import ChangeRequest
from fairway.model.events import ChangeRequestChanged, Event, RefUpdated
from fairway.model.repository import Settings
from fairway.model.scope import SYSTEM
from fairway.source.announce import Announcer
from fairway.source.change_course import ChangeCourse
from fairway.source.change_requests import ChangeRequests, Wanted
from fairway.source.writing import Objects, Writer
from fairway.store import change_requests as rows
from fairway.store import outbox, repositories
from fairway.store.database import Database
from fairway.testing.changetests import PlayedTests
from fairway.testing.git import SimulatedGit
from fairway.testing.gitwrites import SimulatedWrites
from fairway.testing.people import People

ADA = Author(name="Ada", email="ada@example.org")
SLUG = "tide/app"


class ChangePlace:
    """`max` is a maintainer, `wim` a writer, `rea` a reader; events are delivered by `settle`."""

    who: Identity

    def __init__(self, database: Database, root: Path | None) -> None:
        self.database = database
        self.people = People(database)
        self.number = self.people.ids[SLUG]
        self.folders: Folders
        self.writes: Objects
        if root is None:
            git = SimulatedGit()
            self.folders, self.writes = git.folders, SimulatedWrites(git)
        else:
            self.folders = Folders(root)
            self.folders.prepare()
            self.writes = Writes(self.folders)
        announcer = Announcer(database, self.folders, Wake())
        self.writer = Writer(database, self.writes, self.folders, announcer)
        self.tests = PlayedTests()
        self.course = ChangeCourse(database, self.writer, self.tests)
        self.changes = ChangeRequests(database, self.writer, self.course, url="http://f.test/")
        self._seen = 0

    async def begin(self) -> ChangePlace:
        """`main` has two files; `feature` changes one of them."""
        self.who = await self.people.identity("wim")
        first = await self.push("main", {"a": b"1", "b": b"1"})
        await self.writer.move(self.number, "refs/heads/feature", first, expected="", actor="wim")
        await self.push("feature", {"a": b"2"}, "feat: raise a")
        return self

    async def push(
        self, branch: str, files: Mapping[str, bytes | None], message: str = "change"
    ) -> str:
        """A commit, as somebody's push."""
        return await self.writer.commit(
            self.number, branch, files, message=message, author=ADA, actor="wim"
        )

    async def open(self, **words: str) -> ChangeRequest:
        """Open one from `feature`."""
        shown = await self.changes.open(self.who, SLUG, Wanted(source="feature", **words))
        return shown.change

    async def merge(
        self, method: Method = Method.MERGE, *, who: Identity | None = None, green: bool = False
    ) -> ChangeRequest:
        """Ask for the merge of the first one."""
        shown = await self.changes.merge(who or self.who, SLUG, 1, method=method, when_green=green)
        return shown.change

    async def now(self, number: int = 1) -> ChangeRequest:
        """One as it is stored."""
        found = await self.database.read(rows.by_number, self.number, number)
        assert found is not None
        return found

    async def tip(self, branch: str = "main") -> str:
        """Where a branch is."""
        return await self.writes.ref(self.number, f"refs/heads/{branch}")

    async def events(self) -> list[Event]:
        """Everything that happened."""
        return [event for _, _, event in await self.database.read(outbox.since, 0, limit=10_000)]

    async def actions(self) -> list[str]:
        """What was told of change requests, in order."""
        found = await self.events()
        return [each.action for each in found if isinstance(each, ChangeRequestChanged)]

    async def settle(self) -> None:
        """Deliver what happened since, twice each, until nothing more comes of it."""
        while found := (await self.events())[self._seen :]:
            self._seen += len(found)
            for event in found:
                for _ in range(2):
                    if isinstance(event, RefUpdated):
                        await self.course.follow(event, "x")
                    if isinstance(event, ChangeRequestChanged):
                        await self.course.test(event, "x")

    async def set(self, **settings: object) -> None:
        """Change the repository's settings."""
        plain = msgspec.to_builtins(Settings(**settings))  # type: ignore[arg-type]

        def work(db: Connection) -> None:
            found = repositories.by_id(db, SYSTEM, self.number)
            assert found is not None
            repositories.change(db, self.number, found.version, {"settings": plain})

        await self.database.write(work)
