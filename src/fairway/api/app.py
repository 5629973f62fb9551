"""Our REST API as one ASGI application over the services that app.py puts together."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from fairway.api import (
    apps,
    builds,
    changes,
    clusters,
    crons,
    events,
    guard,
    health,
    images,
    logs,
    notices,
    people,
    problems,
    releases,
    reports,
    repositories,
    roles,
    runners,
    scans,
    secrets,
    system,
    teams,
    traffic,
    triggers,
)
from fairway.api.services import Services, dependencies
from fairway.client.problems import MEDIA_TYPE
from fairway.client.wire.common import Problem
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
    repositories, builds, changes, triggers, logs, reports, secrets, crons, people, roles, teams,
    images, scans, releases, apps, runners, clusters, events, notices, system, traffic,
)  # fmt: skip


_PROBLEMS: Final = {
    status: ResponseSpec(Problem, description=about, media_type=MEDIA_TYPE, generate_examples=False)
    for status, about in (
        (400, "the request cannot be read"),
        (401, "no token, or one that does not hold"),
        (403, "not allowed"),
        (404, "not there, or not for the asker's eyes"),
        (409, "it exists, has changed, or is in use"),
        (413, "too large"),
        (422, "the request cannot be right: `where` names the place"),
        (429, "no capacity now"),
        (503, "something needed does not answer"),
    )
}


def api_app(services: Services) -> Asgi:
    """The application: /api/v1/..., /healthz, /readyz, /metrics."""
    routes: list[Any] = [route for noun in _NOUNS for route in noun.ROUTES]
    for route in routes:
        route.responses = _PROBLEMS
    app = Litestar(
        [
            Router(
                "/api/v1",
                route_handlers=routes,
                before_request=guard.known_query,
                security=[{"token": []}],
            ),
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
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
        ),
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
    )
