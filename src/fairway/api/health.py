"""/healthz, /readyz and /metrics: for those who watch over the process."""

from __future__ import annotations

import asyncio
from typing import Final

from litestar import Response, get

from fairway.api.services import Svc, Who
from fairway.api.system import checked
from fairway.client.wire import system as wire
from fairway.model.errors import Forbidden
from fairway.model.token import TokenScope
from fairway.monitor import exposition

_READY_S: Final = 5.0


@get("/healthz", summary="Whether the process lives", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """It answers, so it does."""
    return {"status": "alive"}


@get("/readyz", summary="Whether it can do its work", include_in_schema=False)
async def readyz(*, services: Svc) -> Response[dict[str, str]]:
    """503 with the parts that are not well. Tells nothing else: nobody is asked to sign in."""
    try:
        async with asyncio.timeout(_READY_S):
            found = await checked(services.checks)
    except TimeoutError:
        found = [wire.Component(name="checks", healthy=False)]
    states = {one.name: "healthy" if one.healthy else "unhealthy" for one in found}
    well = all(one.healthy for one in found)
    return Response(
        {"status": "ready" if well else "not ready", **states}, status_code=200 if well else 503
    )


@get("/metrics", summary="Prometheus", include_in_schema=False)
async def metrics(*, services: Svc, who: Who) -> Response[bytes]:
    """Counts only, no names. With a token of any kind, or from this machine's own address."""
    if services.private_metrics and not who.holds(TokenScope.BUILD_READ):
        raise Forbidden(
            "the metrics need a token of scope build:read here",
            code="metrics-private",
            remedy="let the scraper send one",
        )
    found = await services.scrapes.measures(services.database)
    page = exposition.text(found, services.requests, version=services.addresses.version)
    more = services.traffic.metrics() if services.traffic else b""
    return Response(page + more, media_type=exposition.CONTENT_TYPE)


ROUTES = [healthz, readyz, metrics]
