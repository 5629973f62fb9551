"""Our Git hosting on a port of its own: for protocol tests and benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from fairway.access.tokens import Tokens
from fairway.git.folders import Folders
from fairway.git.writing import Writes
from fairway.kit import loop
from fairway.kit.aio import Wake, background, blocking
from fairway.model.events import Event, RefUpdated
from fairway.model.token import TokenScope
from fairway.source.announce import Announcer
from fairway.source.change_course import ChangeCourse
from fairway.source.change_requests import ChangeRequests
from fairway.source.hosting import GitDeps, git_app
from fairway.source.repositories import Repositories
from fairway.source.writing import Writer
from fairway.store import outbox, users
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.changetests import PlayedTests
from fairway.testing.http import serving

Wrap = Callable[[Any], Any]


class GitHost:
    """Database, folders, services and an admin's token."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.tokens = Tokens(database)
        self.folders = Folders(root)
        self.folders.prepare()
        self.repositories = Repositories(database, self.folders)
        self.announcer = Announcer(database, self.folders, Wake())
        writer = Writer(database, Writes(self.folders), self.folders, self.announcer)
        self.tests = PlayedTests()
        course = ChangeCourse(database, writer, self.tests)
        self.changes = ChangeRequests(database, writer, course, url="http://fairway.test")
        self.app = git_app(
            GitDeps(
                database=database,
                tokens=self.tokens,
                folders=self.folders,
                repositories=self.repositories,
                announcer=self.announcer,
                changes=self.changes,
            )
        )
        self.url = ""
        self.token = ""

    @contextlib.asynccontextmanager
    async def serve(self, wrap: Wrap | None = None) -> AsyncIterator[GitHost]:
        """Listen while the block runs; `wrap` goes around the application."""
        if not self.token:
            self.token = await self.token_for("ada", admin=True)
        app = wrap(self.app) if wrap else self.app
        async with serving(app) as self.url, background(self.announcer.run()):
            yield self

    async def token_for(self, login: str, *scopes: TokenScope, admin: bool = False) -> str:
        """A token of a user, who is made when missing."""

        def user(db: Connection) -> int:
            return (users.by_login(db, login) or users.create(db, login, admin=admin)).id

        number = await self.database.write(user)
        made = await self.tokens.mint(
            number, name="test", scopes=scopes or [TokenScope.ADMIN], actor="test"
        )
        return made.value.reveal()

    def remote(self, slug: str, token: str | None = None) -> str:
        """A URL with credentials."""
        name = self.url.replace("http://", f"http://any:{token or self.token}@")
        return f"{name}/{slug}.git"

    async def events(self) -> list[RefUpdated]:
        """Every ref event so far."""
        found = await self.database.read(outbox.since, 0, limit=100_000)
        return [event for _, _, event in found if _is_ref(event)]  # type: ignore[misc]


class Git:
    """The real `git`, in a folder of its own, with no configuration of the machine's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def __call__(self, *words: str, ok: bool = True) -> str:
        """Run git. Returns stdout and stderr; raises `AssertionError` when it fails and `ok`."""
        done = await blocking(self.run, words)
        text = done.stdout.decode("utf-8", "replace")
        if ok and done.returncode:
            raise AssertionError(f"git {' '.join(words)}: {done.returncode}\n{text}")
        if not ok and not done.returncode:
            raise AssertionError(f"git {' '.join(words)} passed, but should not have\n{text}")
        return text.strip()

    def run(self, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        """Run git and wait."""
        return subprocess.run(  # noqa: S603 a test's own command
            [shutil.which("git") or "git", *words],
            cwd=self.folder,
            env=git_environment(self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    async def init(self, *, branch: str = "main") -> Git:
        """A new repository here."""
        await self("init", "-q", "-b", branch)
        return self

    async def commit(self, message: str, files: MutableMapping[str, str] | None = None) -> str:
        """Write files and commit. Returns the sha."""
        for name, text in (files or {"file": message}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        await self("add", "-A")
        await self("commit", "-q", "--allow-empty", "-m", message)
        return await self("rev-parse", "HEAD")


def git_environment(folder: Path) -> dict[str, str]:
    """Nothing of the machine's own configuration."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }


def _is_ref(event: Event) -> bool:
    return isinstance(event, RefUpdated)


async def serve_until_killed(root: Path) -> None:
    """A host in a process of its own: prints its address and an admin's token as JSON."""
    database = Database(sqlite_url(root / "fairway.db"))
    metadata.create_all(database.engine)
    async with GitHost(database, root / "git").serve() as host:
        sys.stdout.write(
            msgspec.json.encode({"url": host.url, "token": host.token}).decode() + "\n"
        )
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    database.close()


if __name__ == "__main__":
    loop.run(serve_until_killed(Path(sys.argv[1])))
