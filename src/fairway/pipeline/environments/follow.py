"""The logs of an environment's containers as one: whole lines, each behind its service's name."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from pathlib import Path
from typing import Any, Final

from fairway.docker.client import Docker
from fairway.kit.aio import blocking
from fairway.model.errors import FairwayError
from fairway.pipeline.engine import Sink
from fairway.pipeline.environments.health import SERVICE

NUMBER: Final = "com.docker.compose.container-number"
_LONGEST: Final = 64 * 1024  # a line that is longer is cut
_KEPT: Final = 20  # last lines, for the words of a failure
_SOON_S: Final = 0.3
_LATER_S: Final = 2.0
_DRAIN_S: Final = 5.0
_log = logging.getLogger(__name__)


class Follower:
    """Follows every container of some labels, those that come later too, until cancelled.

    How far each log was read is noted in `notes`, so that a runner that was restarted goes on
    there.
    """

    def __init__(
        self, docker: Docker, labels: list[str], sink: Sink, *, notes: Path, width: int = 0
    ) -> None:
        self._docker = docker
        self._labels = labels
        self._sink = sink
        self._notes = notes
        self._streams: dict[str, _Stream] = {}
        self._read: dict[str, int] = {}
        self._settled = False
        self._looked = asyncio.Event()
        self._width = width  # of the column of names

    def settle(self) -> None:
        """All have been started: from now on it is enough to look for new ones now and then."""
        self._settled = True

    def last(self, service: str) -> list[str]:
        """The last lines of a service."""
        lines = [line for one in self._streams.values() if one.service == service
                 for line in one.lines]  # fmt: skip
        return lines[-_KEPT:]

    async def run(self, *, keep: bool = True) -> None:
        """Follow. Returns only by cancellation. `keep`: go on where an earlier one stopped."""
        self._read = await blocking(_load, self._notes) if keep else {}
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._look(group)
                except FairwayError as error:
                    _log.info("the containers of %s cannot be listed: %s", self._labels, error)
                self._looked.set()
                if keep:
                    await blocking(_save, self._notes, self._offsets())
                await asyncio.sleep(_LATER_S if self._settled else _SOON_S)

    async def drained(self) -> None:
        """Wait, a little, until the logs of those that have ended are read to their ends."""
        tasks = [one.task for one in self._streams.values() if one.task is not None and one.over]
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_S)

    async def caught_up(self) -> None:
        """Wait until nothing new has come for a moment."""
        await self._looked.wait()
        before = -1
        while before != (now := sum(self._offsets().values())):
            before = now
            await asyncio.sleep(_SOON_S)

    def _offsets(self) -> dict[str, int]:
        return {name: one.read for name, one in self._streams.items()}

    async def _look(self, group: asyncio.TaskGroup) -> None:
        for found in await self._docker.containers(self._labels):
            name, state = str(found["Id"]), str(found["State"])
            if state == "created":
                continue
            stream = self._streams.get(name)
            if stream is None:
                stream = self._stream(name, found["Labels"])
            stream.over = state not in ("running", "restarting", "paused")
            if stream.task is None or (stream.task.done() and not (stream.over and stream.whole)):
                stream.whole = stream.over
                stream.task = group.create_task(self._follow(name, stream))

    def _stream(self, name: str, labels: dict[str, str]) -> _Stream:
        service, number = labels.get(SERVICE, name[:12]), labels.get(NUMBER, "1")
        shown = service if number == "1" else f"{service}-{number}"
        self._width = max(self._width, len(shown))
        self._streams[name] = _Stream(service, shown, self._read.get(name, 0))
        return self._streams[name]

    async def _follow(self, name: str, stream: _Stream) -> None:
        async def take(data: bytes) -> None:
            for line in stream.cut(data):
                await self._sink(f"{stream.shown:<{self._width}} | ".encode() + line + b"\n")

        try:
            found = await self._docker.inspect(name)
            tty = bool(found and found["Config"].get("Tty"))
            await self._docker.logs(name, take, skip=stream.read, raw=tty)
            for line in stream.rest():
                await self._sink(f"{stream.shown:<{self._width}} | ".encode() + line + b"\n")
        except FairwayError as error:
            _log.info("the log of %s was cut: %s", stream.shown, error)
            stream.whole = False


class _Stream:
    """One container's log."""

    def __init__(self, service: str, shown: str, read: int) -> None:
        self.service = service
        self.shown = shown
        self.read = read  # bytes of whole lines that were handed on
        self.over = False  # the container does not run
        self.whole = False  # it was followed after it had ended
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.task: asyncio.Task[None] | None = None
        self._open = b""

    def cut(self, data: bytes) -> list[bytes]:
        """The whole lines that are known now."""
        *lines, self._open = (self._open + data).split(b"\n")
        self.read += sum(len(line) + 1 for line in lines)
        if len(self._open) > _LONGEST:
            self.read += len(self._open)
            lines.append(self._open)
            self._open = b""
        return self._kept(lines)

    def rest(self) -> list[bytes]:
        """What stands after the last line's end, once nothing follows."""
        line, self._open = self._open, b""
        self.read += len(line)
        return self._kept([line] if line else [])

    def _kept(self, lines: list[bytes]) -> list[bytes]:
        plain = [line.rstrip(b"\r") for line in lines]
        self.lines.extend(line.decode("utf-8", "replace") for line in plain)
        return plain


def _load(path: Path) -> dict[str, int]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): int(count) for name, count in found.items()}
    except (OSError, ValueError):
        return {}


def _save(path: Path, offsets: dict[str, int]) -> None:
    if path.parent.is_dir() and offsets != _load(path):
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(offsets), encoding="utf-8")
        fresh.replace(path)
