"""A Git host in a process of its own, which can be killed, and its traces on disk."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from fairway.git.folders import Folders
from fairway.model.events import RefUpdated
from fairway.store import outbox
from fairway.store.database import Database, sqlite_url


class GitServer:
    """`start` and `kill` as often as you like: the folder stays."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = self.token = ""
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "fairway.testing.githost", str(self.root)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        line = await self._child.stdout.readline() if self._child.stdout else b""
        told = json.loads(line)
        self.url, self.token = told["url"], told["token"]

    async def kill(self) -> None:
        """End it at once (-9)."""
        if self._child is not None:
            self._child.kill()
            await self._child.wait()
            self._child = None

    def remote(self, slug: str) -> str:
        """A URL with credentials."""
        return self.url.replace("http://", f"http://any:{self.token}@") + f"/{slug}.git"

    def peak(self) -> int:
        """The most memory that the process has held, in bytes."""
        if self._child is None:
            raise RuntimeError("it does not run")
        status = Path(f"/proc/{self._child.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def refs(self) -> dict[int, dict[str, str]]:
        """Branches and tags on disk by repository."""
        folders = Folders(self.root / "git")
        return {number: folders.refs(number) for number in folders.numbers()}

    async def events(self) -> list[RefUpdated]:
        """Every ref event in its database."""
        database = Database(sqlite_url(self.root / "fairway.db"))
        try:
            found = await database.read(outbox.since, 0, limit=100_000)
        finally:
            database.close()
        return [event for _, _, event in found if isinstance(event, RefUpdated)]
