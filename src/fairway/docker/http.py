"""HTTP/1.1 to a Docker Engine, over its unix socket or TCP: requests, streams and hijacked pipes.

Written for this one peer: it keeps idle connections, streams bodies both ways, and hands over the
raw connection where the Engine API "hijacks" it (attach). A general client costs a millisecond per
call and hides the connection that attach needs.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from fairway.model.errors import Unavailable

_LIMIT: Final = 1024 * 1024  # bytes that a connection buffers before it stops reading
_CHUNK: Final = 256 * 1024
_CONNECT_S: Final = 5.0
_IDLE: Final = 8  # idle connections kept
Query = Mapping[str, str | int | bool | None]
Body = bytes | AsyncIterator[bytes] | None
_BROKEN: Final = (OSError, asyncio.IncompleteReadError, EOFError, asyncio.LimitOverrunError)


def unavailable(address: str, cause: object) -> Unavailable:
    """The error for an engine that does not answer."""
    return Unavailable(
        f"the Docker Engine at {address} does not answer: {cause or type(cause).__name__}",
        code="engine-unavailable",
        remedy="See `fairway doctor`: the engine may be stopped, restarting or out of reach.",
    )


class Connection:
    """One connection; may carry many requests, one after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.used = False  # a reused connection may have been closed by the engine meanwhile

    def close(self) -> None:
        """Close at once; what was not sent is lost."""
        transport = self.writer.transport
        with suppress(RuntimeError):  # its loop has ended before
            transport.abort()


class Response:
    """An answer whose body has still to be read."""

    def __init__(self, connection: Connection, status: int, headers: dict[str, str]) -> None:
        self.connection = connection
        self.status = status
        self.headers = headers
        length = headers.get("content-length")
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.length = int(length) if length is not None else None
        if status in (204, 304) or 100 <= status < 200:
            self.length, self.chunked = 0, False
        self.finished = self.length == 0 and not self.chunked

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request now."""
        return self.finished and self.headers.get("connection", "").lower() != "close"

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `EOFError` when it is cut."""
        if self.finished:
            return
        source = self._chunks() if self.chunked else self._plain()
        async for part in source:
            yield part
        self.finished = self.chunked or self.length is not None

    async def _chunks(self) -> AsyncIterator[bytes]:
        reader = self.connection.reader
        while True:
            line = await reader.readuntil(b"\r\n")
            left = int(line.split(b";", 1)[0], 16)
            if left == 0:
                await reader.readuntil(b"\r\n")
                return
            while left:
                part = await reader.read(min(left, _CHUNK))
                if not part:
                    raise EOFError("the engine cut its answer")
                left -= len(part)
                yield part
            await reader.readexactly(2)

    async def _plain(self) -> AsyncIterator[bytes]:
        reader, left = self.connection.reader, self.length
        while left is None or left > 0:
            part = await reader.read(_CHUNK if left is None else min(left, _CHUNK))
            if not part:
                if left is None:
                    return
                raise EOFError("the engine cut its answer")
            left = None if left is None else left - len(part)
            yield part


class Transport:
    """Connections to one engine: `unix:///path`, `tcp://host:port`, `https://host:port`."""

    def __init__(self, address: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self._tls = tls
        self._idle: list[Connection] = []

    async def connect(self) -> Connection:
        """A new connection. Raises `Unavailable`."""
        url = urlsplit(self.address)
        try:
            async with asyncio.timeout(_CONNECT_S):
                if url.scheme == "unix":
                    pair = await asyncio.open_unix_connection(url.path, limit=_LIMIT)
                else:
                    pair = await asyncio.open_connection(
                        url.hostname, url.port or 2375, ssl=self._tls, limit=_LIMIT
                    )
        except (OSError, TimeoutError) as error:
            raise unavailable(self.address, error) from error
        return Connection(*pair)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                connection.used = True
                return connection
            connection.close()
        return await self.connect()

    def _give(self, connection: Connection) -> None:
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            self._idle.pop().close()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Response]:
        """Send a request; the answer's body may be streamed inside the block.

        Raises `Unavailable` when the connection fails or breaks, also while the body is read.
        """
        head = _head(method, _target(path, query), body, headers or {})
        connection = await self._take()
        response: Response | None = None
        try:
            connection, response = await self._exchange(connection, head, body)
            yield response
        except _BROKEN as error:
            raise unavailable(self.address, error) from error
        finally:
            if response is not None and response.reusable:
                self._give(connection)
            else:
                connection.close()

    async def _exchange(
        self, connection: Connection, head: bytes, body: Body
    ) -> tuple[Connection, Response]:
        try:
            return connection, await _send(connection, head, body)
        except _BROKEN:
            connection.close()
            # An idle connection that the engine closed: the request never reached it. A body that
            # streams cannot be sent twice.
            if not connection.used or isinstance(body, AsyncIterator):
                raise
        fresh = await self.connect()
        try:
            return fresh, await _send(fresh, head, body)
        except BaseException:
            fresh.close()
            raise

    async def hijack(self, path: str, *, query: Query | None = None) -> tuple[Connection, Response]:
        """POST a request whose connection becomes a raw pipe (status 101).

        Any other status is an ordinary answer that the caller reads; then closes the connection.
        """
        more = {"Connection": "Upgrade", "Upgrade": "tcp"}
        head = _head("POST", _target(path, query), None, more)
        connection = await self.connect()
        try:
            return connection, await _send(connection, head, None)
        except _BROKEN as error:
            connection.close()
            raise unavailable(self.address, error) from error
        except BaseException:
            connection.close()
            raise


def _target(path: str, query: Query | None) -> str:
    pairs = {name: _text(value) for name, value in (query or {}).items() if value is not None}
    target = quote(path, safe="/:@%~.-_")
    return f"{target}?{urlencode(pairs)}" if pairs else target


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _head(method: str, target: str, body: Body, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: docker"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if isinstance(body, AsyncIterator):
        lines.append("Transfer-Encoding: chunked")
    elif body is not None or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body or b'')}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _send(connection: Connection, head: bytes, body: Body) -> Response:
    writer = connection.writer
    if isinstance(body, AsyncIterator):
        writer.write(head)
        async for part in body:
            if part:
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
    else:
        writer.write(head + (body or b""))
    await writer.drain()
    return await _receive(connection)


async def _receive(connection: Connection) -> Response:
    while True:
        raw = await connection.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if status != 100:
            return Response(connection, status, headers)


def encode(value: Any) -> bytes:
    """A JSON body."""
    return json.dumps(value, separators=(",", ":")).encode()
