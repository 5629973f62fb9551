"""A proxy in front of a real API server, at which things go wrong as `kubefaults` says.

It ends TLS with a certificate of its own and speaks to the server as one identity, whoever its
client is. Websockets are passed on as they are.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from msgspec import structs

from fairway.cluster.certificates import Pair
from fairway.kit.secret import Secret
from fairway.kube.connection import Connection
from fairway.kube.http import HttpTransport, open_transport
from fairway.kube.transport import Request
from fairway.model.errors import Unavailable
from fairway.testing.kubefaults import Cut, Fault, Faults, spoiled, status_body

_HOP: Final = frozenset({"connection", "host", "content-length", "transfer-encoding"})
_LIMIT: Final = 1024 * 1024
_BROKEN: Final = (OSError, EOFError, asyncio.LimitOverrunError)


class FaultProxy:
    """A running proxy; `connection` leads through it."""

    def __init__(self, upstream: Connection, pair: Pair, faults: Faults) -> None:
        self.faults = faults
        self.connection = upstream
        self._upstream = upstream
        self._pair = pair
        self._transport: HttpTransport | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def start(self) -> None:
        """Listen at a free port of loopback."""
        self._transport = await open_transport(self._upstream)
        context = _serving(self._pair)
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=context, limit=_LIMIT
        )
        port = self._server.sockets[0].getsockname()[1]
        self.connection = structs.replace(self._upstream, server=f"https://127.0.0.1:{port}")

    async def stop(self) -> None:
        """Cut every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._transport is not None:
            await self._transport.close()

    def cut(self) -> None:
        """Cut every connection that is open now, as a network that goes away."""
        for writer in list(self._open):
            writer.transport.abort()

    # ---- one connection --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = None
        try:
            while (request := await _read_request(reader)) is not None:
                if request.headers.get("upgrade"):
                    await self._pass_on(request, reader, writer)
                    return
                await self._answer(request, writer)
        except (Cut, Unavailable, *_BROKEN):
            pass
        except asyncio.CancelledError:
            pass  # the server ends; the stream's own task would report it as an error
        finally:
            self._open.pop(writer, None)
            with suppress(Exception):
                writer.transport.abort()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.take(request) or Fault()
        await asyncio.sleep(fault.delay_s)
        if fault.status:
            body = status_body(fault.status, fault.retry_after)
            headers = {"content-type": "application/json"}
            if fault.retry_after is not None:
                headers["retry-after"] = str(fault.retry_after)
            _head(writer, fault.status, {**headers, "content-length": str(len(body))})
            writer.write(body)
            await writer.drain()
            return
        assert self._transport is not None
        async with self._transport.stream(request) as stream:
            chunked = {name: text for name, text in stream.headers.items() if name not in _HOP}
            if stream.status == 304:
                _head(writer, stream.status, chunked)
                return
            _head(writer, stream.status, {**chunked, "transfer-encoding": "chunked"})
            await writer.drain()
            async for part in spoiled(stream.chunks(), fault):
                if part:
                    writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                    await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _pass_on(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A websocket: both ways until one ends."""
        at = urlsplit(self._upstream.server)
        pair = await asyncio.open_connection(at.hostname, at.port, ssl=_calling(self._upstream))
        self._open[pair[1]] = None
        try:
            target = request.path + ("?" if request.query else "")
            target += "&".join(f"{name}={text}" for name, text in request.query)
            lines = [f"GET {target} HTTP/1.1"]
            lines += [f"{name}: {text}" for name, text in request.headers.items()]
            pair[1].write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            with suppress(*_BROKEN):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, pair[1]))
                    group.create_task(_pump(pair[0], writer))
        finally:
            self._open.pop(pair[1], None)
            pair[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _protocol = first.split(" ")
    headers: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "impersonate-group":
            repeated.append((name.lower(), value.strip()))
        else:
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    at = urlsplit(target)
    upgrade = "upgrade" in headers
    return Request(
        method=method,
        path=at.path,
        # A websocket's query goes on as it was written.
        query=_plain(at.query) if upgrade else tuple(parse_qsl(at.query, keep_blank_values=True)),
        headers=headers if upgrade else {k: v for k, v in headers.items() if k not in _HOP},
        repeated=tuple(repeated),
        body=body,
    )


def _plain(query: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in query.split("&") if part]
    return tuple((name, text) for name, _, text in pairs)


def _head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Fault"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def _context_with(purpose: ssl.Purpose, cert: bytes, key: bytes, ca: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cadata=ca.decode() or None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_bytes(cert + key)
        context.load_cert_chain(path)
    return context


def _serving(pair: Pair) -> ssl.SSLContext:
    return _context_with(ssl.Purpose.CLIENT_AUTH, pair.cert, pair.key, b"")


def _calling(connection: Connection) -> ssl.SSLContext:
    key = (connection.key or Secret("")).reveal().encode()
    return _context_with(ssl.Purpose.SERVER_AUTH, connection.certificate, key, connection.ca)


@asynccontextmanager
async def proxy(upstream: Connection, pair: Pair, faults: Faults) -> AsyncIterator[FaultProxy]:
    """A proxy for the block; `pair` is its own certificate, for 127.0.0.1."""
    running = FaultProxy(upstream, pair, faults)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
