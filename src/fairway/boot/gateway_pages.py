"""What a process that is a gateway and nothing else tells by HTTP: /healthz, /readyz, /metrics."""

from __future__ import annotations

from typing import Any, Final, Protocol

from fairway.boot.server import ASGI, Scope
from fairway.monitor.exposition import CONTENT_TYPE

_TEXT: Final = "text/plain; charset=utf-8"


class Metrics(Protocol):
    """The traffic of a gateway."""

    def metrics(self) -> bytes:
        """All of it, in Prometheus' text format."""
        ...


class Told(Protocol):
    """A gateway, as its pages need it."""

    problem: str  # why it does not serve what it should; "" when it does

    @property
    def traffic(self) -> Metrics:
        """What it has measured."""
        ...


def pages(gateway: Told) -> ASGI:
    """The application."""

    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = _page(gateway, scope["path"])
        headers = [(b"content-type", kind.encode("ascii"))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _page(gateway: Told, path: str) -> tuple[int, str, bytes]:
    match path:
        case "/healthz":
            return 200, _TEXT, b"ok\n"
        case "/readyz":
            said = gateway.problem
            return (503 if said else 200), _TEXT, f"{said or 'ok'}\n".encode()
        case "/metrics":
            return 200, CONTENT_TYPE, gateway.traffic.metrics()
    return 404, _TEXT, b"this process tells /healthz, /readyz and /metrics\n"
