"""The way to a real API server: lightkube's reading of credentials over its httpx.

HTTP/1.1, a connection for each watch and as many calls at once as there are callers. Keepalive
probes find a peer that is gone without a word within half a minute.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2 as httpx
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.core.exceptions import ConfigError

from fairway.kit.aio import blocking
from fairway.kube.connection import Connection, bad, lightkube_config
from fairway.kube.errors import unavailable
from fairway.kube.transport import Request, Response, WebSocket
from fairway.kube.websocket import connect

_CONNECT_S: Final = 10.0
_AT_ONCE: Final = 16  # requests on their way, without streams; as many idle connections are kept
_IDLE_S: Final = 30.0
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
_BROKEN: Final = (httpx.HTTPError, httpx.StreamError, OSError)


class _Begun:
    """What one call's connection has come to; for httpcore's extension `trace`.

    A call that fails between TCP's handshake and TLS's has its socket closed by httpcore; of one
    that is cancelled there, nobody would.
    """

    def __init__(self) -> None:
        self._opened: Any = None  # httpcore's stream

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            self._opened = info["return_value"]
        elif event.endswith(".start_tls.complete"):
            self._opened = None
        elif event.endswith(".start_tls.failed") and self._opened is not None:
            if isinstance(info["exception"], asyncio.CancelledError):
                await self._opened.aclose()
            self._opened = None


class HttpStream:
    """An answer that is read as it comes."""

    def __init__(self, server: str, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = _lower(response.headers)
        self._server = server
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        """Pieces of the body."""
        try:
            async for part in self._response.aiter_raw():
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
        pool = httpx.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            proxy=connection.proxy or None,
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=_AT_ONCE, keepalive_expiry=_IDLE_S
            ),
            socket_options=_KEEPALIVE,
        )
        self._client = httpx.AsyncClient(
            base_url=connection.server,
            transport=pool,
            auth=auth,
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            trust_env=False,
        )
        # More at once are not faster, and each would begin with a handshake.
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._tls = connection.server.startswith("https:")
        extensions = {"sni_hostname": connection.server_name} if connection.server_name else {}
        self._extensions: dict[str, Any] = extensions

    def _request(self, request: Request) -> httpx.Request:
        return self._client.build_request(
            request.method,
            self.server + request.path,
            params=list(request.query) or None,
            headers=[("accept-encoding", "identity"), *request.headers.items(), *request.repeated],
            content=request.body or None,
            extensions={**self._extensions, "trace": _Begun()} if self._tls else self._extensions,
        )

    async def send(self, request: Request) -> Response:
        """Send and wait for the whole answer."""
        try:
            async with self._gate:
                answer = await self._client.send(self._request(request))
        except (ConfigError, *_BROKEN) as error:
            raise unavailable(self.server, error) from error
        except RuntimeError as error:
            raise self._closed(error) from error
        return Response(answer.status_code, _lower(answer.headers), answer.content)

    def _closed(self, error: RuntimeError) -> Exception:
        """httpx's word for a client that was closed: whoever renews a way in (other certificates,
        another address) closes the old one, perhaps just before somebody asks by it."""
        return unavailable(self.server, error) if self._client.is_closed else error

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[HttpStream]:
        """Send and read the answer inside the block."""
        try:
            answer = await self._client.send(self._request(request), stream=True)
        except (ConfigError, *_BROKEN) as error:
            raise unavailable(self.server, error) from error
        except RuntimeError as error:
            raise self._closed(error) from error
        try:
            yield HttpStream(self.server, answer)
        finally:
            await answer.aclose()

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AsyncIterator[WebSocket]:
        """Open a websocket; closed with the block."""
        plain = self._request(request)
        headers = await self._authorised(plain)
        async with connect(
            str(plain.url),
            headers=headers,
            protocols=protocols,
            context=self._context,
            server_name=self._connection.server_name,
        ) as opened:
            yield opened

    async def _authorised(self, request: httpx.Request) -> list[tuple[str, str]]:
        """The request's headers, each as often as it comes, with what the identity adds."""
        if self._auth is None:
            return _each(request.headers)
        flow = self._auth.async_auth_flow(request)
        try:
            return _each((await anext(flow)).headers)
        except ConfigError as error:
            raise unavailable(self.server, error) from error
        finally:
            await flow.aclose()

    async def close(self) -> None:
        """Drop every connection."""
        await self._client.aclose()


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _each(headers: httpx.Headers) -> list[tuple[str, str]]:
    """A name that comes several times says something else than its values joined: of groups."""
    return [(name.lower(), value) for name, value in headers.multi_items()]


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
