"""Calls to one API server as one actor: deadlines, the server's wishes to wait, errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from fairway.kube.errors import KubeUnavailable, refused, retry_after, unavailable
from fairway.kube.kind import Json
from fairway.kube.transport import Request, Response, Stream, Transport, WebSocket

T = TypeVar("T")
CALL_S: Final = 30.0
_ASKED_AGAIN: Final = 10  # times that a server may ask to come back before its refusal is raised
_REFUSAL: Final = 1024 * 1024  # bytes read of a refusal


class Actor(Struct, frozen=True, kw_only=True):
    """Who acts: for the ownership of fields, for rights, and for the server's audit log.

    `manager` owns the fields that are written. `user` is impersonated, with `groups`: the server
    then judges that user. `on_behalf_of` is only told to the audit log, in the user agent.
    """

    manager: str
    user: str = ""
    groups: tuple[str, ...] = ()
    on_behalf_of: str = ""


Query = Mapping[str, str | int | bool | None]


class Caller:
    """Requests of one actor. Safe to use from many tasks at once."""

    def __init__(
        self, transport: Transport, actor: Actor, *, on_warning: Callable[[str], None] | None = None
    ) -> None:
        self.transport = transport
        self.actor = actor
        self.on_warning = on_warning

    def prepare(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """A request with what tells who acts. `body` is made JSON, bytes stay as they are."""
        more = {"user-agent": _agent(self.actor), "accept": "application/json"}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            more["content-type"] = "application/json"
        more.update(headers or {})
        groups = self.actor.groups if self.actor.user else ()
        if self.actor.user:
            more["impersonate-user"] = self.actor.user
        return Request(
            method=method,
            path=path,
            query=_query(query or {}),
            headers=more,
            repeated=tuple(("impersonate-group", group) for group in groups),
            body=data,
        )

    async def call(
        self, request: Request, *, timeout: float = CALL_S, patient: bool = True
    ) -> Json:
        """Send, and read the JSON of the answer ({} for none). See `send`."""
        answer = await self.send(request, timeout=timeout, patient=patient)
        if not answer.body:
            return {}
        try:
            found = msgspec.json.decode(answer.body)
        except msgspec.DecodeError as error:
            raise unavailable(self.transport.server, f"its answer is no JSON ({error})") from error
        return found if isinstance(found, dict) else {"items": found}

    async def send(
        self, request: Request, *, timeout: float = CALL_S, patient: bool = True
    ) -> Response:
        """Send within `timeout` seconds in all.

        `patient`: a server that asks to come back later (429, or 5xx, with Retry-After) has not
        carried out the request: it is sent again. A read is sent again once when the connection
        fails, which an idle connection of a restarted server does. Raises what `errors` has.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._patiently(request, _ASKED_AGAIN if patient else 0)
        except TimeoutError as error:
            raise unavailable(self.transport.server, f"no answer within {timeout:g} s") from error

    async def _patiently(self, request: Request, left: int) -> Response:
        while True:
            answer = await self._once(request)
            self._warn(answer)
            if answer.status < 400:
                return answer
            asked = "retry-after" in answer.headers and _later(answer.status)
            if not asked or left <= 0:
                raise refused(answer.status, answer.body, answer.headers)
            left -= 1
            await asyncio.sleep(retry_after(answer.headers, {}))

    async def _once(self, request: Request) -> Response:
        try:
            return await self.transport.send(request)
        except KubeUnavailable:
            if request.method != "GET":
                raise
        return await self.transport.send(request)

    def _warn(self, answer: Response) -> None:
        words = answer.headers.get("warning")
        if words and self.on_warning is not None:
            for text in warnings_in(words):
                self.on_warning(text)

    @asynccontextmanager
    async def stream(self, request: Request, *, timeout: float = CALL_S) -> AsyncIterator[Stream]:
        """Send, and read the answer inside the block; `timeout` is until it begins."""
        async with _soon(self.transport, self.transport.stream(request), timeout) as opened:
            if opened.status >= 400:
                raise refused(opened.status, await self._words(opened, timeout), opened.headers)
            yield opened

    async def _words(self, opened: Stream, timeout: float) -> bytes:
        data = b""
        try:
            async with asyncio.timeout(timeout):
                async for part in opened.chunks():
                    data += part
                    if len(data) > _REFUSAL:
                        break
        except TimeoutError as error:
            raise unavailable(self.transport.server, "its refusal does not end") from error
        return data

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...], *, timeout: float = CALL_S
    ) -> AsyncIterator[WebSocket]:
        """Open a websocket for the block; `timeout` is until it is open."""
        opening = self.transport.websocket(request, protocols)
        async with _soon(self.transport, opening, timeout) as opened:
            yield opened


@asynccontextmanager
async def _soon(
    transport: Transport, opening: AbstractAsyncContextManager[T], timeout: float
) -> AsyncIterator[T]:
    """Enter a block within `timeout` seconds; the block itself has no deadline."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(timeout):
                opened = await stack.enter_async_context(opening)
        except TimeoutError as error:
            raise unavailable(transport.server, f"no answer within {timeout:g} s") from error
        yield opened


def _later(status: int) -> bool:
    return status == 429 or status >= 500


def _agent(actor: Actor) -> str:
    words = actor.manager
    if actor.on_behalf_of:
        words += f" on behalf of {actor.on_behalf_of}"
    return f"fairway ({words})".encode("ascii", "backslashreplace").decode()


def _query(query: Query) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, _text(value)) for name, value in query.items() if value not in (None, "", False)
    )


def _text(value: object) -> str:
    return "true" if value is True else str(value)


_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


def warnings_in(header: str) -> list[str]:
    """The texts of a Warning header."""
    return [found.replace('\\"', '"') for found in _WARNING.findall(header)]
