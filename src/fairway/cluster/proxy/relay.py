"""One client's connection: its requests go on one after the other, their answers come back.

HTTP/1.1 on both sides, by h11. An upgrade (exec, attach, port-forward: WebSocket or SPDY) becomes a
plain pipe in both directions, so that whatever a client and an API server agree on passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import h11
import msgspec

from fairway.cluster.proxy import headers, upstream
from fairway.cluster.proxy.gate import Gate, Passage
from fairway.cluster.proxy.upstream import Upstream
from fairway.kit.aio import background, together
from fairway.model.errors import FairwayError, InvalidInput, Unauthenticated, Unavailable

_SWITCHING: Final = 101
_BAD_GATEWAY: Final = 502
_READ: Final = 64 * 1024
_HEAD: Final = 64 * 1024  # the longest head of a request
_NAMED: Final = 256 * 1024  # how much of a body is looked at for a new object's name
_IDLE_S: Final = 120.0  # a connection that asks nothing
_ANSWER_S: Final = 180.0  # the API server gives a plain request 60 s
_DRAIN_S: Final = 60.0  # a client that takes nothing
_log = logging.getLogger(__name__)


class _GoneError(Exception):
    """The client has left."""


class Relay:
    """One client's connection."""

    def __init__(
        self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._gate = gate
        self._reader, self._writer = reader, writer
        self._client = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        self._upstream: Upstream | None = None

    async def run(self) -> None:
        """Until either side leaves."""
        try:
            while await self._one():
                self._client.start_next_cycle()
        except (_GoneError, OSError):
            _log.debug("a client of a cluster went away")
        except h11.RemoteProtocolError as error:
            await self._refuse(InvalidInput(f"not HTTP/1.1: {error}", code="bad-request"))
        finally:
            await self._close_upstream()

    async def _one(self) -> bool:
        """One request and its answer. Returns whether another may follow."""
        async with asyncio.timeout(_IDLE_S):
            event = await self._event()
        if not isinstance(event, h11.Request):
            return False
        if not event.http_version.startswith(b"1."):
            raise h11.RemoteProtocolError(f"not HTTP/{event.http_version.decode('latin-1')}")
        try:
            await self._pass(event)
        except FairwayError as error:
            return await self._refuse(error)
        done = self._client.our_state is h11.DONE and self._client.their_state is h11.DONE
        if not (done and self._upstream is not None and self._upstream.reusable()):
            await self._close_upstream()
        return done

    async def _pass(self, request: h11.Request) -> None:
        given = list(request.headers.raw_items())
        upgrades = any(name.lower() == b"upgrade" for name, _ in given)
        passage = await self._gate.admit(
            request.method.decode("ascii"),
            request.target.decode("latin-1"),
            given,
            upgrades=upgrades,
        )
        begun = await self._begin_body() if passage.asked.verb == "create" else b""
        if passage.asked.changes:
            await self._gate.note(passage, begun)
        try:
            status = await self._carry(request, passage, begun, upgrades=upgrades)
        except (OSError, h11.ProtocolError, Unavailable) as error:
            await self._note_failure(passage, begun, 0)
            raise _lost(passage, error) from error
        if status >= 400:
            await self._note_failure(passage, begun, status)

    async def _note_failure(self, passage: Passage, begun: bytes, status: int) -> None:
        if passage.asked.changes:
            await self._gate.note_failure(passage, begun, status)

    async def _carry(
        self, request: h11.Request, passage: Passage, begun: bytes, *, upgrades: bool
    ) -> int:
        """Send it on and its answer back. Returns the answer's status."""
        up = await self._connected(passage)
        head = h11.Request(method=request.method, target=passage.path, headers=passage.headers)
        await up.send(head)
        if begun:
            await up.send(h11.Data(data=begun))
        endless = upgrades or passage.asked.endless
        async with background(self._send_body(up)):
            status = await self._answer(up, None if endless else _ANSWER_S)
        if status == _SWITCHING:
            await self._pipe(up)
        return status

    async def _connected(self, passage: Passage) -> Upstream:
        """A connection to the cluster: the last one where it is the same cluster's."""
        if self._upstream is not None and self._upstream.target == passage.target:
            self._upstream.next()
            return self._upstream
        await self._close_upstream()
        self._upstream = await upstream.connect(passage.target, passage.cluster)
        return self._upstream

    # The request's body

    async def _begin_body(self) -> bytes:
        """As much of the body as names a new object, mostly all of it."""
        parts: list[bytes] = []
        size = 0
        while size < _NAMED and self._client.their_state is h11.SEND_BODY:
            event = await self._event()
            if isinstance(event, h11.EndOfMessage):
                break
            if isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                size += len(event.data)
        return b"".join(parts)

    async def _send_body(self, up: Upstream) -> None:
        """Send the rest of the body on; then watch for the client's leaving."""
        while self._client.their_state is h11.SEND_BODY:
            event = await self._event()
            if isinstance(event, h11.Data):
                await up.send(h11.Data(data=bytes(event.data)))
            elif isinstance(event, h11.ConnectionClosed):
                raise _GoneError
        await up.send(h11.EndOfMessage())
        while True:
            await self._read_more()

    # The answer

    async def _answer(self, up: Upstream, limit: float | None) -> int:
        """The answer's head and body, as they come. Returns its status."""
        async with asyncio.timeout(limit):
            event = await up.event()
            while isinstance(event, h11.InformationalResponse) and event.status_code < _SWITCHING:
                event = await up.event()
        if isinstance(event, h11.InformationalResponse):
            await self._send(_head(event, upgrades=True))
            return _SWITCHING
        if not isinstance(event, h11.Response):
            raise ConnectionError("the connection ended before the answer")
        await self._send(_head(event, upgrades=False))
        while True:
            part = await up.event()
            if isinstance(part, h11.Data):
                await self._send(h11.Data(data=bytes(part.data)))
            elif isinstance(part, h11.EndOfMessage):
                await self._send(h11.EndOfMessage())
                return int(event.status_code)
            else:
                raise _GoneError  # half an answer cannot be mended: the client sees a cut

    async def _pipe(self, up: Upstream) -> None:
        """Bytes in both directions until one side ends."""
        rest, _ = self._client.trailing_data
        await up.write(rest)
        await self._write(up.trailing())
        with contextlib.suppress(_GoneError, OSError):
            async with together() as group:
                group.create_task(_copy(self._reader, up.writer), name="to the cluster")
                group.create_task(_copy(up.reader, self._writer), name="from the cluster")

    # The client's side

    async def _event(self) -> Any:
        """What the client sends next."""
        while True:
            if self._client.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            event = self._client.next_event()
            if event is not h11.NEED_DATA:
                return event
            await self._read_more()

    async def _read_more(self) -> None:
        try:
            data = await self._reader.read(_READ)
        except OSError as error:
            raise _GoneError from error
        self._client.receive_data(data)
        if not data:
            raise _GoneError

    async def _send(self, event: Any) -> None:
        if (data := self._client.send(event)) is not None:
            await self._write(data)

    async def _write(self, data: bytes) -> None:
        if data:
            self._writer.write(data)
            try:
                async with asyncio.timeout(_DRAIN_S):
                    await self._writer.drain()
            except OSError as error:
                raise _GoneError from error

    async def _refuse(self, error: FairwayError) -> bool:
        """Answer as an API server does, so that kubectl shows the sentence. The end of it."""
        if self._client.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return False
        kind, body = _told(error)
        given = [
            (b"Content-Type", kind),
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        if isinstance(error, Unauthenticated):
            given.append((b"WWW-Authenticate", b'Bearer realm="fairway"'))
        with contextlib.suppress(_GoneError, h11.LocalProtocolError):
            await self._send(h11.Response(status_code=_code(error), headers=given))
            await self._send(h11.Data(data=body))
            await self._send(h11.EndOfMessage())
        return False

    async def _close_upstream(self) -> None:
        up, self._upstream = self._upstream, None
        if up is not None:
            await up.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Raises `_GoneError` at the end, which ends the other direction as well."""
    while data := await reader.read(_READ):
        writer.write(data)
        await writer.drain()
    raise _GoneError


def _head(event: Any, *, upgrades: bool) -> Any:
    given = headers.back(event.headers.raw_items(), upgrades=upgrades)
    kind = h11.InformationalResponse if upgrades else h11.Response
    return kind(status_code=event.status_code, headers=given, reason=event.reason)


def _lost(passage: Passage, error: Exception) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    return Unavailable(
        f"the cluster {passage.cluster} did not answer to the end: {error}",
        code="cluster-unavailable",
        remedy=f"`fairway describe cluster {passage.cluster}`",
    )


def _code(error: FairwayError) -> int:
    if isinstance(error, Unavailable):
        return _BAD_GATEWAY
    return 400 if error.code == "bad-request" else error.status


def _told(error: FairwayError) -> tuple[bytes, bytes]:
    """(content type, body): a `Status`, as an API server's answers are.

    But kubectl's discovery shows why a server does not answer only as text, of a status like 502.
    """
    if isinstance(error, Unavailable):
        return b"text/plain; charset=utf-8", f"fairway: {error.message}".encode()
    return b"application/json", status_of(error)


_REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
}


def status_of(error: FairwayError) -> bytes:
    """An error as a Kubernetes `Status`."""
    code = _code(error)
    told = f"{error.message} ({error.remedy})" if error.remedy else error.message
    return msgspec.json.encode(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f"fairway: {told}",
            "reason": _REASONS.get(code, "InternalError"),
            "details": {"causes": [{"reason": error.code}]},
            "code": code,
        }
    )
