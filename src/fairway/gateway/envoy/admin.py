"""Envoy's administration interface: what it has taken, and what it has counted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from msgspec import Struct

from fairway.kit import trust
from fairway.model.errors import Unavailable

_DEADLINE_S: Final = 5.0
_VERSION: Final = ".version_text"
_ROUTES: Final = re.compile(r"^http\..+?\.rds\.(.+)$")
_FEW: Final = 40  # names that fit into one filter


class Versions(Struct, frozen=True):
    """`version_text` of each subscription, by the name of its resource."""

    listeners: str = ""
    clusters: str = ""
    routes: Mapping[str, str] = {}
    endpoints: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}


class Admin:
    """One Envoy's administration socket. Every call raises `Unavailable` when it does not answer.

    All calls may be repeated.
    """

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(
            uds=str(socket), limits=httpx.Limits(max_connections=4), verify=trust.nobody()
        )
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://envoy", timeout=_DEADLINE_S, trust_env=False
        )

    async def close(self) -> None:
        """Let go of the socket."""
        await self._http.aclose()

    async def get(self, path: str) -> str:
        """The text of a page."""
        return await self._ask("GET", path)

    async def post(self, path: str) -> str:
        """The answer to a command."""
        return await self._ask("POST", path)

    async def _ask(self, method: str, path: str) -> str:
        try:
            answer = await self._http.request(method, path)
        except (httpx.HTTPError, OSError) as error:
            raise Unavailable(
                f"Envoy's administration interface does not answer: {error}",
                code="envoy-unavailable",
                remedy="`fairway get components` says how it is, envoy.log in the data directory's"
                " gateway folder why",
            ) from error
        if not answer.is_success:
            raise Unavailable(
                f"Envoy answered {answer.status_code} to {path.partition('?')[0]}",
                code="envoy-unavailable",
            )
        return answer.text

    async def ready(self) -> bool:
        """Whether Envoy serves."""
        try:
            return (await self.get("/ready")).strip() == "LIVE"
        except Unavailable:
            return False

    async def versions(self) -> Versions:
        """What each subscription has taken last. About 3 ms at 500 clusters."""
        return parse_versions(await self.get("/stats?type=TextReadouts&filter=version_text$"))

    async def rejections(self) -> int:
        """How many updates were refused so far. Slow with many clusters: all counters are read."""
        pattern = r"\.update_(rejected|failure)$"
        page = await self.get(f"/stats?type=Counters&filter={pattern}")
        return sum(int(value) for _name, value in _lines(page))

    async def members(self, clusters: list[str]) -> Mapping[str, int]:
        """How many endpoints each of these clusters has; a cluster that still warms is absent."""
        names = "|".join(re.escape(name) for name in clusters) if len(clusters) <= _FEW else ".+"
        filtered = rf"^cluster\.({names})\.membership_total$|^cluster_manager\.warming_clusters$"
        answer = await self.get("/stats?" + str(httpx.QueryParams(type="Gauges", filter=filtered)))
        found = dict(_lines(answer))
        if int(found.pop("cluster_manager.warming_clusters", "0")):
            return {}
        return {name.split(".")[1]: int(value) for name, value in found.items()}

    async def workers(self) -> int:
        """How many worker threads serve."""
        found = dict(_lines(await self.get("/stats?type=Gauges&filter=^server.concurrency$")))
        return int(found.get("server.concurrency", "0"))


def parse_versions(page: str) -> Versions:
    """The text readouts, sorted by what they are of."""
    single = {"listener_manager.lds": "", "cluster_manager.cds": ""}
    routes: dict[str, str] = {}
    endpoints: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, value in _lines(page):
        place, version = name.removesuffix(_VERSION), value.strip('"')
        if place in single:
            single[place] = version
        elif place.startswith("cluster."):
            endpoints[place.removeprefix("cluster.")] = version
        elif place.startswith("sds."):
            secrets[place.removeprefix("sds.")] = version
        elif found := _ROUTES.match(place):
            routes[found[1]] = version
    return Versions(
        listeners=single["listener_manager.lds"],
        clusters=single["cluster_manager.cds"],
        routes=routes,
        endpoints=endpoints,
        secrets=secrets,
    )


def _lines(page: str) -> list[tuple[str, str]]:
    pairs = (line.partition(": ") for line in page.splitlines())
    return [(name, value.strip()) for name, colon, value in pairs if colon]


async def until_ready(admin: Admin, seconds: float) -> bool:
    """Wait until Envoy serves, at most so long."""
    end = asyncio.get_running_loop().time() + seconds
    while not await admin.ready():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.02)
    return True
