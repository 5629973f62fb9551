"""Our REST API as one ASGI application over the services that app.py puts together."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from fairway.api import builds, logs, problems, reports, repositories
from fairway.api.services import Services, dependencies

BODY_LIMIT: Final = 1 << 20
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_ROUTES: Final[list[Any]] = [*repositories.ROUTES, *builds.ROUTES, *logs.ROUTES, *reports.ROUTES]


def api_app(services: Services) -> ASGIApp:
    """The application: /api/v1/..., /healthz, /readyz, /metrics."""
    return Litestar(
        [Router("/api/v1", route_handlers=_ROUTES)],
        dependencies=dependencies(services),
        exception_handlers=problems.HANDLERS,
        openapi_config=_openapi(services),
        request_max_body_size=BODY_LIMIT,
        response_headers=_HEADERS,
        logging_config=None,
        debug=False,
    )


def _openapi(services: Services) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Fairway",
        version=services.addresses.version or "1",
        path="/api/v1/openapi.json",  # of its own: it answers below in HTML
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
    )
