"""Visitors of a site: callers that keep their connections and note every answer.

Half of them ask with GET, half with POST, which no proxy may simply ask again. Whatever is not a
whole answer with status 200 is a failure; so is a connection that ends without having said so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_PATIENCE_S = 10.0  # of one request
_REST_S = 0.05  # after a failure


class Answer(NamedTuple):
    """One request: when it began and ended (`time.perf_counter`), and what was answered."""

    began: float
    ended: float
    said: str  # the body of a good answer
    problem: str = ""


class Visitors:
    """Callers of `host` through the gateway at `port`, each with a pause between its requests."""

    def __init__(self, port: int, host: str, *, callers: int = 6, pause_s: float = 0.02) -> None:
        self.answers: list[Answer] = []
        self._port, self._host = port, host
        self._callers, self._pause_s = callers, pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the requests that are under way."""
        self._stop.set()
        self._thread.join(2 * _PATIENCE_S)

    @property
    def failures(self) -> list[Answer]:
        """What went wrong."""
        return [one for one in list(self.answers) if one.problem]

    def since(self, began: float) -> list[Answer]:
        """Requests that ended after a moment."""
        return [one for one in list(self.answers) if one.ended >= began]

    def last(self, said: str, began: float) -> float:
        """When the last such answer came: seconds after `began`; 0 where none came after it."""
        ends = [one.ended for one in self.since(began) if one.said == said]
        return max(ends) - began if ends else 0.0

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._callers):
                group.create_task(self._call("GET" if number % 2 else "POST"))

    async def _call(self, method: str) -> None:
        line: Line | None = None
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    line = line or await Line.open(self._port)
                    said, stays = await line.ask(method, self._host)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                problem = f"{method}: {type(error).__name__}: {error}"
                self.answers.append(Answer(began, time.perf_counter(), "", problem))
                stays = False
                await asyncio.sleep(_REST_S)
            else:
                self.answers.append(Answer(began, time.perf_counter(), said))
            if not stays and line is not None:
                line.close()
                line = None
            await asyncio.sleep(self._pause_s)
        if line is not None:
            line.close()


class Line:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, host: str) -> tuple[str, bool]:
        """The answer's body, and whether the connection stays. Raises `ValueError` for another
        status than 200."""
        body = "hello" if method == "POST" else ""
        head = f"{method} / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write((head + body).encode())
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(_field(line) for line in lines if line)
        said = (await self._body(fields)).decode()
        if status.split()[1] != "200":
            raise ValueError(f"{status}: {said[:200]}")
        return said.strip(), fields.get("connection") != "close"

    async def _body(self, fields: dict[str, str]) -> bytes:
        if "content-length" in fields:
            return await self._reader.readexactly(int(fields["content-length"]))
        found = b""
        while size := int((await self._reader.readline()).strip() or b"x", 16):
            found += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return found

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip().lower()


@contextmanager
def visiting(port: int, host: str, **more: float) -> Iterator[Visitors]:
    """Visitors for the block."""
    found = Visitors(port, host, **more)  # type: ignore[arg-type]
    found.start()
    try:
        yield found
    finally:
        found.stop()
