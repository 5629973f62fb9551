"""A build as it happens: its state whenever it changes, and its logs, in one stream.

Messages: `build` (the whole build), `log` (a piece of a step's log), `end`. A message's id says how
far every log was sent, so that a reader who comes again loses and repeats nothing.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from fairway.api import builds as shown_builds
from fairway.api.builds import View
from fairway.api.hub import Follower, Hub
from fairway.api.streams import Put
from fairway.client import sse
from fairway.client.wire.build import Build, LogChunk, Stage, Step
from fairway.model.errors import InvalidInput
from fairway.pipeline.logs import Logs
from fairway.store.views import BuildView

_PIECE: Final = 128 * 1024
_LOOK_S: Final = 2.0  # how often a build is looked at without an event
_PLACE: Final = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9}):(\d{1,18})")
_BEGUN: Final = frozenset({"running", "passed", "failed", "errored", "cancelled"})

Key = tuple[int, int, int]  # stage, step, attempt
Look = Callable[[], Awaitable[View]]


class Wanted(Struct, frozen=True):
    """Which logs a reader wants."""

    logs: bool = True
    stage: str = ""
    step: str = ""

    def has(self, stage: Stage, step: Step) -> bool:
        """Whether this step's log is wanted. Names, or numbers."""
        if not self.logs:
            return False
        stages = {"", stage.name, str(stage.number)}
        return self.stage in stages and self.step in {"", step.name, str(step.number)}


def read_places(text: str) -> dict[Key, int]:
    """How far each log was read, from a `Last-Event-ID`. Raises `InvalidInput`."""
    found: dict[Key, int] = {}
    for word in text.split(",") if text else []:
        match = _PLACE.fullmatch(word)
        if match is None:
            raise InvalidInput(
                "this Last-Event-ID is none of ours",
                code="bad-last-event-id",
                where="header.Last-Event-ID",
                remedy="send the last message's id as it was",
            )
        stage, step, attempt, at = (int(part) for part in match.groups())
        found[stage, step, attempt] = at
    return found


def write_places(places: dict[Key, int]) -> str:
    """The id of a message."""
    return ",".join(f"{a}.{b}.{c}:{at}" for (a, b, c), at in places.items())


class Live:
    """One reader's stream of one build."""

    def __init__(
        self, look: Look, logs: Logs, hub: Hub, *, wanted: Wanted, places: dict[Key, int]
    ) -> None:
        self._look, self._logs, self._hub = look, logs, hub
        self._wanted, self._places = wanted, places
        self._pumps: dict[Key, asyncio.Task[None]] = {}
        self._sent: Build | None = None
        self._lock = asyncio.Lock()

    async def run(self, put: Put) -> None:
        """Write until the build has ended and its logs are sent."""
        async with asyncio.TaskGroup() as group:
            follower = self._hub.follow()
            await follower.begin()
            while True:
                seen = await self._look()
                view, build = seen.found, shown_builds.whole(seen)
                await self._tell(put, build)
                await self._follow(group, put, view=view, build=build)
                if view.build.status.done:
                    break
                await _changed(follower, view.build.id)
        await self._tell(put, shown_builds.whole(await self._look()))
        await self._message(put, "end", b"{}")

    async def _tell(self, put: Put, build: Build) -> None:
        quiet = msgspec.structs.replace(build, stages=[_without_logs(one) for one in build.stages])
        if quiet != self._sent:
            self._sent = quiet
            await self._message(put, "build", msgspec.json.encode(build))

    async def _follow(
        self, group: asyncio.TaskGroup, put: Put, *, view: BuildView, build: Build
    ) -> None:
        """Send what has ended already in order; follow the rest beside each other."""
        for stage, shown in zip(view.stages, build.stages, strict=True):
            for row, step in zip(view.steps.get(stage.id, []), shown.steps, strict=True):
                key = (shown.number, step.number, step.attempt)
                if step.carried or step.status not in _BEGUN or key in self._pumps:
                    continue
                if not self._wanted.has(shown, step):
                    continue
                task = group.create_task(self._pump(put, row.id, key, step.name), name=f"log {key}")
                self._pumps[key] = task
                if row.status.done and view.build.status.done:
                    await task

    async def _pump(self, put: Put, row: int, key: Key, name: str) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace")
        at = received = self._places.get(key, 0)
        async for piece in self._logs.follow(row, key[2], start=at):
            for data in _cut(piece.data):
                text = decode.decode(data)
                received += len(data)
                begin, at = at, received - len(decode.getstate()[0])  # half a letter waits
                await self._piece(put, _chunk(key, name, begin, text), at)
        if rest := decode.decode(b"", final=True):
            await self._piece(put, _chunk(key, name, at, rest), received)

    async def _piece(self, put: Put, chunk: LogChunk, end: int) -> None:
        if chunk.text:
            place = {(chunk.stage, chunk.step, chunk.attempt): end}
            await self._message(put, "log", msgspec.json.encode(chunk), place)

    async def _message(
        self, put: Put, event: str, data: bytes, place: Mapping[Key, int] = MappingProxyType({})
    ) -> None:
        """One at a time: an id must never tell of a piece that comes after it."""
        async with self._lock:
            self._places |= place
            await put(sse.write(event, data, at=write_places(self._places)))


async def _changed(follower: Follower, build: int) -> None:
    """Until something of this build happened, or it is time to look again."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _LOOK_S
    while (left := until - loop.time()) > 0:
        found = await follower.next(left)
        if any(getattr(one.event, "build", 0) == build for one in found):
            return


def _without_logs(stage: Stage) -> Stage:
    """A log that grows is no change of the build."""
    steps = [
        msgspec.structs.replace(one, log_bytes=0, log_lines=0, log_truncated=False)
        for one in stage.steps
    ]
    return msgspec.structs.replace(stage, steps=steps)


def _chunk(key: Key, name: str, offset: int, text: str) -> LogChunk:
    stage, step, attempt = key
    return LogChunk(stage=stage, step=step, attempt=attempt, name=name, offset=offset, text=text)


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
