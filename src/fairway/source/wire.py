"""The client's side of Git over HTTP: what a request says, its body, its answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from msgspec import Struct

from fairway.git.backend import IDLE_S, Backend
from fairway.git.packets import Inflater, PushHead, PushReader
from fairway.kit.inbound import Disconnected, Inbound
from fairway.model.errors import FairwayError, Forbidden, InvalidInput, NotFound, Unauthenticated
from fairway.model.name import check_name, check_organisation

Receive = Callable[[], Any]
Send = Callable[[MutableMapping[str, Any]], Any]
Asgi = MutableMapping[str, Any]

FETCH: Final = "git-upload-pack"
PUSH: Final = "git-receive-pack"
_PATH: Final = re.compile(
    r"/(?P<slug>[^/]{1,100}/[^/]{1,100})\.git/"
    r"(?P<rest>info/refs|git-upload-pack|git-receive-pack)"
)
_PROTOCOL: Final = re.compile(r"version=[012](:[a-z0-9=:-]{0,100})?")
_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client closed the connection, or was silent for too long."""


class Request(Struct, frozen=True):
    """A request that was understood."""

    slug: str
    service: str
    advertise: bool  # info/refs
    query: str
    type: str
    protocol: str
    gzip: bool
    authorization: str | None


class Wire:
    """The client's side of one exchange."""

    def __init__(self, receive: Receive, answer: Answer) -> None:
        self._receive = receive
        self._inflater: Inflater | None = None
        self._ended = False
        self.answer = answer

    def inflate(self, *, gzip: bool) -> None:
        """Unpack a gzip body here rather than in git: we judge what git will see."""
        self._inflater = Inflater() if gzip else None

    async def head(self) -> tuple[PushHead, bytes]:
        """The commands of a push, and the bytes read so far.

        Raises `ClientGone`, `InvalidInput`, `TooLarge`.
        """
        reader = PushReader()
        begun = bytearray()
        async with _Patience() as patience:
            while not reader.done and (data := await self._piece()) is not None:
                patience.renew()
                begun += data
                reader.feed(data)
        if not reader.done:
            raise InvalidInput(
                "this push cannot be read: it ends before its commands do",
                code="bad-push",
                remedy="push again",
            )
        return reader.head, bytes(begun)

    async def feed(self, child: Backend, begun: bytes) -> None:
        """Pass the body to the child, then watch for the client's going. Raises `ClientGone`."""
        async with _Patience() as patience:
            listens = not begun or await child.write(begun)
            inbound = Inbound(self._receive)
            while (data := await self._large_piece(inbound)) is not None:
                patience.renew()
                if data and listens:
                    listens = await child.write(data)
        child.close_input()
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone

    async def _piece(self) -> bytes | None:
        """The next piece of the body; None at its end. Raises `ClientGone`."""
        if self._ended:
            return None
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._ended = not message.get("more_body", False)
        return self._inflated(message.get("body", b""))

    async def _large_piece(self, inbound: Inbound) -> bytes | None:
        """The same, but as much as has come. Only `inbound` reads from now on."""
        if self._ended:
            return None
        try:
            data = await inbound.read()
        except Disconnected:
            raise ClientGone from None
        self._ended = data is None
        return data if data is None else self._inflated(data)

    def _inflated(self, data: bytes) -> bytes:
        return self._inflater.feed(data) if self._inflater else data


class _Patience:
    """Ends a body that has stood still for `IDLE_S`: one timer, however many pieces."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._renewed = self._loop.time()
        self._timeout = asyncio.timeout(IDLE_S)

    async def __aenter__(self) -> _Patience:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise ClientGone from None

    def renew(self) -> None:
        """A piece has come."""
        now = self._loop.time()
        if now - self._renewed > 1:
            self._renewed = now
            self._timeout.reschedule(now + IDLE_S)


class Answer:
    """What goes to the client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def start(self, head: tuple[int, list[tuple[bytes, bytes]]]) -> None:
        """Status and headers."""
        self._started = True
        await self._send({"type": "http.response.start", "status": head[0], "headers": head[1]})

    async def body(self, data: bytes) -> None:
        """A piece of the body. Raises `ClientGone`."""
        if not data:
            return
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except (RuntimeError, OSError):
            raise ClientGone from None

    async def end(self) -> None:
        """The body is whole."""
        try:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except (RuntimeError, OSError):
            raise ClientGone from None

    async def error(self, error: FairwayError) -> None:
        """An error as git shows it; once the answer has begun, it only breaks off."""
        if self._started:
            _log.warning("a git exchange broke off: %s", error)
            raise error
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-cache")]
        if isinstance(error, Unauthenticated):
            headers.append((b"www-authenticate", b'Basic realm="Fairway", charset="UTF-8"'))
        text = f"{error}\n{error.remedy}\n" if error.remedy else f"{error}\n"
        await self.start((error.status, headers))
        await self.body(text.encode())
        await self.end()


def read_request(scope: Asgi) -> Request:
    """What a request asks for. Raises `NotFound`, `Forbidden`, `InvalidInput`."""
    found = _PATH.fullmatch(scope["path"])
    if found is None:
        raise _nothing_here()
    slug, rest = found["slug"], found["rest"]
    _check_slug(slug)
    headers = {name.lower(): value for name, value in scope["headers"]}
    query = scope.get("query_string", b"").decode("latin-1")
    advertise = rest == "info/refs"
    if advertise != (scope["method"] in {"GET", "HEAD"}) or scope["method"] == "HEAD":
        raise _nothing_here()
    service = query.removeprefix("service=") if advertise else rest
    if service not in {FETCH, PUSH}:
        raise Forbidden(
            "the dumb protocol is not served here",
            code="dumb-protocol",
            remedy="use git 1.6.6 or later",
        )
    protocol = headers.get(b"git-protocol", b"").decode("latin-1")
    authorization = headers.get(b"authorization")
    return Request(
        slug=slug,
        service=service,
        advertise=advertise,
        query=query if advertise else "",
        type="" if advertise else f"application/x-{service}-request",
        protocol=protocol if _PROTOCOL.fullmatch(protocol) else "",
        gzip=headers.get(b"content-encoding", b"").lower() in {b"gzip", b"x-gzip"},
        authorization=authorization.decode("latin-1") if authorization else None,
    )


def _check_slug(slug: str) -> None:
    organisation, _, name = slug.partition("/")
    check_organisation(organisation)
    check_name(name, "a repository")


def _nothing_here() -> NotFound:
    return NotFound(
        "there is nothing at this address",
        code="no-git-path",
        remedy="repositories are at /ORGANISATION/NAME.git",
    )
