"""HTTP: one port for everything, by path; granian embedded in the process.

/v2/...                the OCI registry (raw ASGI)
/ORG/NAME.git/...      Git (raw ASGI)
/hooks/...             signed wake-ups of remote repositories
everything else        our REST API, /healthz, /readyz, /metrics
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

from granian.constants import Interfaces
from granian.server.embed import Server
from msgspec import Struct

from fairway.model.errors import Unavailable

ASGI = Callable[[Any, Any, Any], Awaitable[None]]
Scope = MutableMapping[str, Any]

_BACKLOG: Final = 4096
_STOP_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class Router:
    """Sends a request to its application by path. Roles leave parts out: those answer 404."""

    def __init__(
        self,
        *,
        api: ASGI | None = None,
        registry: ASGI | None = None,
        git: ASGI | None = None,
        hooks: ASGI | None = None,
    ) -> None:
        self._api, self._registry, self._git, self._hooks = api, registry, git, hooks

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            return
        app = self.choose(scope["path"])
        await (app or _not_here)(scope, receive, send)

    def choose(self, path: str) -> ASGI | None:
        """Which application answers a path."""
        if path == "/v2" or path.startswith("/v2/"):
            return self._registry
        if path.startswith(("/api/", "/healthz", "/readyz", "/metrics")):
            return self._api
        if path.startswith("/hooks/"):
            return self._hooks
        if ".git/" in path:
            return self._git
        return self._api


async def _not_here(_scope: Scope, _receive: Any, send: Any) -> None:
    body = b'{"type":"not-found","title":"this process does not serve that path","status":404}'
    headers = [(b"content-type", b"application/problem+json")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Address(Struct, frozen=True):
    """Where to listen. `plain`: without TLS, because what comes there never leaves this machine."""

    host: str
    port: int
    plain: bool = False


class Tls(Struct, frozen=True):
    """PEM files."""

    cert: Path
    key: Path


def check_free(addresses: Sequence[Address]) -> None:
    """Raise `Unavailable` (code `port-taken`) for the first address that cannot be bound."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with contextlib.closing(socket.socket(family)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                raise Unavailable(
                    f"cannot listen on {address.host}:{address.port}: {error.strerror}",
                    code="port-taken" if taken else "address-unusable",
                    remedy="choose another with `--port`, or end the program that holds it"
                    f" (`ss -ltnp 'sport = :{address.port}'`)",
                ) from error


async def serve(app: ASGI, addresses: Sequence[Address], tls: Tls | None = None) -> None:
    """Listen on every address until cancelled; then answer what is under way and stop."""
    check_free(addresses)
    servers = [_server(app, address, None if address.plain else tls) for address in addresses]
    # What was made so far lives as long as the process: a collection that looked through it again
    # and again would hold up transfers for its length.
    gc.collect()
    gc.freeze()
    async with asyncio.TaskGroup() as group:
        for server, address in zip(servers, addresses, strict=True):
            group.create_task(_one(server), name=f"http {address.host}:{address.port}")


async def _one(server: Server) -> None:
    work = asyncio.shield(_task := asyncio.ensure_future(server.serve()))  # noqa: TID251 awaited below
    try:
        await work
    except asyncio.CancelledError:
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError, asyncio.InvalidStateError):
            async with asyncio.timeout(_STOP_SECONDS):
                await _task
        raise


def _server(app: ASGI, address: Address, tls: Tls | None) -> Server:
    return Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGINL,
        backlog=_BACKLOG,
        backpressure=_BACKLOG,
        websockets=False,
        log_enabled=False,
        ssl_cert=tls.cert if tls else None,
        ssl_key=tls.key if tls else None,
    )
