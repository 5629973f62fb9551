"""Our REST API as one ASGI application over the services that app.py puts together."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from fairway.api import (
    builds,
    crons,
    events,
    guard,
    health,
    images,
    logs,
    people,
    problems,
    reports,
    repositories,
    runners,
    secrets,
    system,
    triggers,
)
from fairway.api.services import Services, dependencies
from fairway.monitor.requests import Asgi

BODY_LIMIT: Final = 1 << 20
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_NOUNS: Final = (
    repositories, builds, triggers, logs, reports, secrets, crons, people, images, runners, events,
    system,
)  # fmt: skip


def api_app(services: Services) -> Asgi:
    """The application: /api/v1/..., /healthz, /readyz, /metrics."""
    routes: list[Any] = [route for noun in _NOUNS for route in noun.ROUTES]
    app = Litestar(
        [
            Router("/api/v1", route_handlers=routes, before_request=guard.known_query),
            *health.ROUTES,
        ],
        dependencies=dependencies(services),
        exception_handlers=problems.HANDLERS,
        openapi_config=_openapi(services),
        request_max_body_size=BODY_LIMIT,
        response_headers=_HEADERS,
        logging_config=None,
        debug=False,
    )
    return services.requests.counted(app)


def _openapi(services: Services) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Fairway",
        version=services.addresses.version or "1",
        path="/api/v1/openapi.json",  # of its own: it answers below in HTML
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
    )
