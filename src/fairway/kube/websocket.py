"""A websocket to an API server over asyncio's streams: the handshake, messages, a proper end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from fairway.kube import frames
from fairway.kube.errors import refused, unavailable
from fairway.kube.frames import BINARY, CLOSE, PING, PONG, TEXT, BadFrame, Decoder
from fairway.model.errors import FairwayError

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONNECT_S: Final = 10.0
_CLOSE_S: Final = 2.0
_READ: Final = 256 * 1024
_LARGEST_ANSWER: Final = 1024 * 1024  # of a refusal's body
_OWN: Final = frozenset({"connection", "content-length", "accept-encoding", "accept", "upgrade"})


class Socket:
    """An open websocket. One task may send while another receives."""

    def __init__(
        self, server: str, protocol: str, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self.protocol = protocol
        self._server = server
        self._reader, self._writer = pair
        self._decoder = Decoder()
        self._waiting: deque[frames.Message] = deque()
        self._over = False

    async def send(self, data: bytes) -> None:
        """Send one binary message."""
        await self._send(BINARY, data)

    async def _send(self, opcode: int, data: bytes) -> None:
        try:
            self._writer.write(frames.encode(opcode, data, os.urandom(4)))
            await self._writer.drain()
        except OSError as error:
            raise unavailable(self._server, error) from error

    async def receive(self) -> bytes | None:
        """The next message; None after a proper end."""
        while not self._over:
            message = await self._next()
            if message.opcode in (BINARY, TEXT):
                return message.data
            if message.opcode == PING:
                await self._send(PONG, message.data)
            elif message.opcode == CLOSE:
                self._over = True
                with suppress(FairwayError):  # it goes away, and need not hear that we know
                    await self._send(CLOSE, message.data[:2])
        return None

    async def _next(self) -> frames.Message:
        try:
            while not self._waiting:
                data = await self._reader.read(_READ)
                if not data:
                    raise EOFError("the websocket was cut")  # noqa: TRY301
                self._waiting += self._decoder.feed(data)
        except (OSError, EOFError, BadFrame) as error:
            raise unavailable(self._server, error) from error
        return self._waiting.popleft()

    async def close(self) -> None:
        """End properly if the peer takes it at once, else cut."""
        with suppress(FairwayError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                if not self._over:
                    await self._send(CLOSE, b"\x03\xe8")
        self._writer.transport.abort()


@asynccontextmanager
async def connect(
    url: str,
    *,
    headers: Sequence[tuple[str, str]],
    protocols: tuple[str, ...],
    context: ssl.SSLContext,
    server_name: str = "",
) -> AsyncIterator[Socket]:
    """A websocket within the block; header names lower-case. Raises as `Transport.websocket`."""
    at = urlsplit(url)
    secure = at.scheme in ("https", "wss")
    server = f"{at.scheme}://{at.netloc}"
    try:
        async with asyncio.timeout(_CONNECT_S):
            pair = await asyncio.open_connection(
                at.hostname,
                at.port or (443 if secure else 80),
                ssl=context if secure else None,
                server_hostname=(server_name or at.hostname) if secure else None,
            )
    except (OSError, TimeoutError) as error:
        raise unavailable(server, error) from error
    opened: Socket | None = None
    try:
        protocol = await _handshake(server, url, pair, headers=headers, protocols=protocols)
        opened = Socket(server, protocol, pair)
        yield opened
    finally:
        if opened is not None:
            await opened.close()
        pair[1].transport.abort()


async def _handshake(
    server: str,
    url: str,
    pair: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    *,
    headers: Sequence[tuple[str, str]],
    protocols: tuple[str, ...],
) -> str:
    """Agree on the protocol, which is returned."""
    reader, writer = pair
    key = base64.b64encode(os.urandom(16))
    try:
        writer.write(_greeting(url, key.decode(), headers, protocols))
        await writer.drain()
        raw = await reader.readuntil(b"\r\n\r\n")
        status, told = _parse(raw)
        if status != 101:
            body = await _body(reader, told)
            raise refused(status if status >= 400 else 500, body, told)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise unavailable(server, error) from error
    wanted = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324 RFC 6455
    chosen = told.get("sec-websocket-protocol", "")
    if told.get("sec-websocket-accept") != wanted or chosen not in protocols:
        raise unavailable(server, f"it answered the websocket with protocol {chosen!r}")
    return chosen


def _greeting(
    url: str, key: str, headers: Sequence[tuple[str, str]], protocols: tuple[str, ...]
) -> bytes:
    at = urlsplit(url)
    target = (at.path or "/") + (f"?{at.query}" if at.query else "")
    lines = [f"GET {target} HTTP/1.1"]
    if "host" not in dict(headers):
        lines.append(f"host: {at.netloc}")
    lines += [f"{name}: {value}" for name, value in headers if name not in _OWN]
    lines += [
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {key}",
        f"sec-websocket-protocol: {', '.join(protocols)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parse(raw: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    told = {}
    for line in lines:
        name, _, value = line.partition(":")
        told[name.strip().lower()] = value.strip()
    return int(first.split(" ", 2)[1]), told


async def _body(reader: asyncio.StreamReader, told: Mapping[str, str]) -> bytes:
    """The body of a refusal, as much as is said to come; without a length what there is."""
    if told.get("content-length"):
        return await reader.readexactly(min(int(told["content-length"]), _LARGEST_ANSWER))
    return await reader.read(_LARGEST_ANSWER)
