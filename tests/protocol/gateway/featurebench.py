"""One Envoy with a composed configuration, echoing servers behind it, callers in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from gatewayworld import composed, service, static

from fairway.gateway.envoy.process import program
from fairway.gateway.snapshot import Composed, Object


class Echo:
    """Answers with what it was asked, as JSON. `?status=N` answers N, `?fail=N&id=X` fails the
    first N requests of an id with 500 (`status`), `?wait=S` waits first, `?drop=N&id=X` closes the
    connection of the first N instead, `?hang=N&id=X` never answers them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[dict[str, Any]] = []
        self.answered = 0
        self.gate = asyncio.Event()  # answers wait until it is set
        self.gate.set()
        self._failed: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def run(self, secure: ssl.SSLContext | None) -> AsyncIterator[tuple[str, int]]:
        """Serve inside the body; afterwards nothing is left of any connection."""
        async with asyncio.TaskGroup() as group:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                group.create_task(self._client(reader, writer), name=f"echo {self.name}")

            server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=secure)
            async with server:
                yield server.sockets[0].getsockname()[:2]
            for task in asyncio.all_tasks():
                if task.get_name() == f"echo {self.name}":
                    task.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                pairs = [line.split(": ", 1) for line in lines if ": " in line]
                headers = {name.lower(): value for name, value in pairs}
                await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                if not await self._answer(method, target, headers, writer):
                    break

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        seen = {"backend": self.name, "method": method, "path": target, "headers": headers}
        self.asked.append(seen)
        await self.gate.wait()
        if "drop" in query and self._again(query) < int(query["drop"]):
            return False
        if "hang" in query and self._again(query) < int(query["hang"]):
            await asyncio.sleep(600)
        if "wait" in query:
            await asyncio.sleep(float(query["wait"]))
        status = int(query.get("status", "200"))
        if "fail" in query:
            status = status if self._again(query) < int(query["fail"]) else 200
        body = json.dumps(seen).encode()
        more = "X-From: upstream\r\nX-Gone: 1\r\n"
        writer.write(
            f"HTTP/1.1 {status} OK\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        await writer.drain()
        self.answered += 1
        return True

    def _again(self, query: Mapping[str, str]) -> int:
        """How often this id was asked for before."""
        before = self._failed.get(query["id"], 0)
        self._failed[query["id"]] = before + 1
        return before


class Answer(NamedTuple):
    """What a caller got."""

    status: int
    headers: Mapping[str, list[str]]
    body: bytes

    @property
    def echo(self) -> dict[str, Any]:
        """What the backend saw."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def backend(self) -> str:
        """Who answered."""
        return str(self.echo["backend"])

    def header(self, name: str) -> str:
        """A header's only value."""
        return ", ".join(self.headers.get(name, []))


class Bench:
    """A running gateway."""

    def __init__(self, found: Composed, echoes: Mapping[str, Echo]) -> None:
        self.composed = found
        self.echoes = echoes

    def address(self, gateway: str) -> str:
        """A Gateway's or a Service's address."""
        held = self.composed.addresses.items()
        return next(at[0] for ref, at in held if ref.name == gateway)

    async def until(self, found: Callable[[], bool]) -> None:
        """Waits for something to become true."""
        async with asyncio.timeout(90):
            while not found():
                await asyncio.sleep(0.01)

    async def lines(self, port: int, gateway: str, text: bytes) -> bytes:
        """What comes back over plain TCP; empty when the connection is closed at once."""
        reader, writer = await asyncio.open_connection(self.address(gateway), port)
        with contextlib.suppress(ConnectionError):
            writer.write(text)
            await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(1), 90)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def ask(
        self,
        gateway: str,
        path: str,
        *,
        host: str = "example.com",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        port: int = 8080,
        sni: str = "",
    ) -> Answer:
        """One request on a connection of its own."""
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if sni else None
        if secure:
            secure.check_hostname = False
            secure.verify_mode = ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            self.address(gateway), port, ssl=secure, server_hostname=sni or None
        )
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = await asyncio.wait_for(_read(reader, head=method == "HEAD"), 20)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        return answer


async def _read(reader: asyncio.StreamReader, *, head: bool) -> Answer:
    """An answer without waiting for the connection's end: Envoy lingers after its own answers."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    body = b""
    if headers.get("transfer-encoding") == ["chunked"]:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
    elif not head:
        body = await reader.readexactly(int(headers.get("content-length", ["0"])[0]))
    return Answer(int(first.split(" ")[1]), headers, body)


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    objects: Sequence[Object],
    backends: Mapping[str, dict[str, Any]],
    *,
    secure: ssl.SSLContext | None = None,
    **place: Any,
) -> AsyncIterator[Bench]:
    """A gateway for these objects. `backends` are Services by name, each with `count` servers."""
    async with contextlib.AsyncExitStack() as stack:
        echoes = {}
        objects = list(objects)
        for name, more in backends.items():
            at = []
            for each in [name, *(f"{name}-{number}" for number in range(1, more.get("count", 1)))]:
                echo = echoes[each] = Echo(each)
                at.append(await stack.enter_async_context(echo.run(secure)))
            objects += service(name, at, **{key: more[key] for key in more if key != "count"})
        network = f"127.{random.randint(10, 250)}.{random.randint(0, 250)}.0/24"
        found = composed(objects, addresses=network, **place)
        await stack.enter_async_context(envoy(folder, found))
        yield Bench(found, echoes)


@contextlib.asynccontextmanager
async def envoy(folder: Path, found: Composed) -> AsyncIterator[None]:
    """An Envoy with this snapshot as its static configuration."""
    admin = folder / "admin.sock"
    config = folder / "static.json"
    config.write_text(json.dumps(static(found.snapshot, admin)))
    command = [program(), "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    command += ["--file-flush-interval-msec", "10"]
    log = (folder / "envoy.log").open("wb")
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(90):
            while not await _ready(admin):
                assert process.returncode is None, (folder / "envoy.log").read_text()
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        log.close()


async def _ready(admin: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(admin))
    except OSError:
        return False
    writer.write(b"GET /ready HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return b" 200 " in answer.split(b"\r\n", 1)[0]


def low_ports() -> bool:
    """Whether ports below 1024 may be bound here."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 81))
        except PermissionError:
            return False
        except OSError:
            return True
        return True
