"""The way to a real API server: lightkube's reading of credentials, carried by aiohttp.

HTTP/1.1, a connection for each watch and for each of the calls that are on their way at once.
Keepalive probes find a peer that is gone without a word within half a minute. aiohttp, because a
call costs it a quarter of httpx's processor time, and a sync is hundreds of calls.
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
import httpx2 as httpx
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.core.exceptions import ConfigError
from yarl import URL

from fairway.kit.aio import blocking
from fairway.kube.connection import Connection, bad, lightkube_config
from fairway.kube.errors import unavailable
from fairway.kube.transport import Request, Response, WebSocket
from fairway.kube.websocket import connect

_CONNECT_S: Final = 10.0
_AT_ONCE: Final = 16  # calls on their way; watches and other streams come on top
_IDLE_S: Final = 30.0
_LINE: Final = 64 * 1024  # the longest line of an answer's head
_LARGE: Final = 1024 * 1024  # bytes of a body that is sent in pieces
_BUFFER: Final = 256 * 1024
_SAFE: Final = "/:@!$&'()*+,;=~%"  # of a path: what is encoded already stays so
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError, ConfigError)


class HttpStream:
    """An answer that is read as it comes."""

    def __init__(self, server: str, answer: aiohttp.ClientResponse) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = _lower(answer.headers)
        self._server = server
        self._answer = answer

    async def chunks(self) -> AsyncIterator[bytes]:
        """Pieces of the body."""
        try:
            async for part in self._answer.content.iter_any():
                yield part
        except _BROKEN as error:
            raise unavailable(self._server, error) from error


class HttpTransport:
    """A `Transport` to a real server."""

    def __init__(
        self, connection: Connection, context: ssl.SSLContext, auth: httpx.Auth | None
    ) -> None:
        self.server = connection.server
        self._connection = connection
        self._context = context
        self._auth = auth
        # More calls at once are not faster, and each would begin with a handshake.
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._opened: aiohttp.ClientSession | None = None
        self._closed = False

    def _session(self) -> aiohttp.ClientSession:
        """The connections; whoever renews a way in (other certificates, another address) closes
        the old one, perhaps just before somebody asks by it: that is an `aiohttp.ClientError`."""
        if self._closed:
            raise aiohttp.ClientConnectionError("this way in was closed")
        if self._opened is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                ssl=self._context,
                keepalive_timeout=_IDLE_S,
                ttl_dns_cache=10,
                socket_factory=_socket,
            )
            self._opened = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
                read_bufsize=_BUFFER,
                max_line_size=_LINE,
                max_field_size=_LINE,
            )
        return self._opened

    async def _ask(self, request: Request) -> aiohttp.ClientResponse:
        """Send; once more where the identity renews itself because the server refused it."""
        if self._auth is None:
            return await self._once(request, "")
        flow = self._auth.async_auth_flow(httpx.Request("GET", self.server))
        async with aclosing(flow):
            answer = await self._once(request, _authorisation(await anext(flow)))
            if answer.status == HTTPStatus.UNAUTHORIZED:
                try:
                    renewed = _authorisation(await flow.asend(httpx.Response(answer.status)))
                except StopAsyncIteration:
                    return answer
                except ConfigError:
                    answer.release()
                    raise
                answer.release()
                return await self._once(request, renewed)
            return answer

    async def _once(self, request: Request, authorisation: str) -> aiohttp.ClientResponse:
        body = request.body
        return await self._session().request(
            request.method,
            self._url(request),
            headers=_headers(request, authorisation),
            data=io.BytesIO(body) if len(body) > _LARGE else body or None,
            proxy=self._connection.proxy or None,
            server_hostname=self._connection.server_name or None,
            allow_redirects=False,
        )

    def _url(self, request: Request) -> URL:
        query = f"?{urlencode(request.query, quote_via=quote)}" if request.query else ""
        return URL(self.server + quote(request.path, safe=_SAFE) + query, encoded=True)

    async def send(self, request: Request) -> Response:
        """Send and wait for the whole answer."""
        try:
            async with self._gate:
                answer = await self._ask(request)
                async with answer:
                    body = await answer.read()
        except _BROKEN as error:
            raise unavailable(self.server, error) from error
        return Response(answer.status, _lower(answer.headers), body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[HttpStream]:
        """Send and read the answer inside the block."""
        try:
            answer = await self._ask(request)
        except _BROKEN as error:
            raise unavailable(self.server, error) from error
        try:
            yield HttpStream(self.server, answer)
        finally:
            answer.close()

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AsyncIterator[WebSocket]:
        """Open a websocket; closed with the block."""
        try:
            authorisation = await self._authorisation()
        except ConfigError as error:
            raise unavailable(self.server, error) from error
        async with connect(
            str(self._url(request)),
            headers=_headers(request, authorisation),
            protocols=protocols,
            context=self._context,
            server_name=self._connection.server_name,
        ) as opened:
            yield opened

    async def _authorisation(self) -> str:
        """What the identity says of itself; a websocket does not ask twice."""
        if self._auth is None:
            return ""
        async with aclosing(self._auth.async_auth_flow(httpx.Request("GET", self.server))) as flow:
            return _authorisation(await anext(flow))

    async def close(self) -> None:
        """Drop every connection."""
        self._closed = True
        if self._opened is not None:
            await self._opened.close()


def _socket(about: aiohttp.AddrInfoType) -> socket.socket:
    made = socket.socket(family=about[0], type=about[1], proto=about[2])
    for option in _KEEPALIVE:
        made.setsockopt(*option)
    return made


def _authorisation(request: httpx.Request) -> str:
    return str(request.headers.get("authorization", ""))


def _headers(request: Request, authorisation: str) -> list[tuple[str, str]]:
    found = [("accept-encoding", "identity"), *request.headers.items(), *request.repeated]
    return [*found, ("authorization", authorisation)] if authorisation else found


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """By lower-case name; what comes more than once is joined, as HTTP allows."""
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def open_now(connection: Connection) -> HttpTransport:
    """A transport. Blocks: reads files of trusted roots. Raises `InvalidInput`."""
    cluster, user = lightkube_config(connection)
    try:
        context = verify_cluster(cluster, user, lambda name: name, trust_env=False)
        auth = user_auth(user)
    except (ConfigError, OSError, ValueError) as error:
        raise bad(f"the credentials for {connection.server} do not fit: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return HttpTransport(connection, context, auth)


async def open_transport(connection: Connection) -> HttpTransport:
    """A transport to a real server. Raises `InvalidInput` for credentials that cannot be right."""
    return await blocking(open_now, connection)
