"""Requests and answers on raw ASGI: bodies are streams, and nothing is read unasked.

Frameworks' streaming answers listen for a disconnect and thereby eat the body of an upload; so
this chapter speaks ASGI itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from fairway.image.registry.errors import RegistryError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[str, str]

_IDLE_S: Final = 300.0  # a client that sends nothing for so long has gone
_DRAIN: Final = 16 << 20  # bytes of an unwanted body that are read, so that the answer is heard


class GoneAwayError(Exception):
    """The client went away in the middle: nobody hears an answer."""


class Request:
    """One request, and the way to answer it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope.get("scheme", "http")
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        accepts = [v for k, v in scope["headers"] if k.lower() == b"accept"]
        self.accept = ",".join(value.decode("latin-1") for value in accepts)
        raw: bytes = scope.get("query_string", b"")
        self._pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        self.query = dict(self._pairs)
        self.answered = False
        self._receive = receive
        self._send = send
        self._more = True
        self._path_send = "http.response.pathsend" in (scope.get("extensions") or {})

    def every(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self._pairs if key == name]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises GoneAwayError."""
        while self._more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise GoneAwayError
            self._more = message.get("more_body", False)
            data: bytes = message.get("body", b"")
            if data:
                yield data

    async def _next(self) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(_IDLE_S):
                return await self._receive()
        except TimeoutError:
            raise GoneAwayError from None

    async def body(self, most: int) -> bytes:
        """The whole body, or its first `most` + 1 bytes and more if it is longer."""
        held = bytearray()
        async for chunk in self.chunks():
            held += chunk
            if len(held) > most:
                break
        return bytes(held)

    async def drain(self) -> None:
        """Read on, within reason, so that the client gets to reading the answer."""
        left = _DRAIN
        if self.method in {"GET", "HEAD"}:
            return
        async for chunk in self.chunks():
            left -= len(chunk)
            if left < 0:
                return

    def length(self) -> int | None:
        """The Content-Length, or None. Raises RegistryError (SIZE_INVALID)."""
        text = self.headers.get("content-length", "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise RegistryError("SIZE_INVALID", "Content-Length is not a number")
        return int(text)

    async def start(self, status: int, headers: Headers) -> None:
        """Begin the answer."""
        self.answered = True
        lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def send(self, data: bytes, *, more: bool = False) -> None:
        """Send a part of the answer's body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def answer(self, status: int, headers: Headers | None = None, body: bytes = b"") -> None:
        """A whole answer. HEAD gets the headers only."""
        every = {"content-length": str(len(body)), **(headers or {})}
        await self.start(status, every)
        await self.send(b"" if self.method == "HEAD" else body)

    async def send_file(self, path: Path | None) -> bool:
        """Have the server send a whole file as the body, if it can. Returns whether it does."""
        if path is None or not self._path_send:
            return False
        await self._send({"type": "http.response.pathsend", "path": str(path)})
        return True
