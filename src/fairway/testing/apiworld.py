"""The API's services over a real store, with people, repositories and builds to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fairway.access.authorise import Access
from fairway.access.tokens import mint
from fairway.api.services import Addresses, Services
from fairway.kit import clock
from fairway.model.build import Build
from fairway.model.stage import NewStage, NewStep
from fairway.model.status import Status
from fairway.model.token import TokenScope
from fairway.store import builds, stages
from fairway.store.database import Database
from fairway.testing.people import People

URL = "http://fairway.test"


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
        self.services = Services(
            database=database,
            tokens=self.people.tokens,
            access=Access(database),
            addresses=Addresses(external_url=URL, registry="127.0.0.1:8480", version="test"),
        )

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
