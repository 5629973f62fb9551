"""What the gateway counted, told in its own process and over HTTP: one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from fairway.api.app import api_app
from fairway.api.traffic import GatewayCounts
from fairway.gateway.traffic import Traffic as GatewayTraffic
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.rollout.measured import Seen, Traffic
from fairway.rollout.measured_http import HttpTraffic
from fairway.store.database import Database
from fairway.testing.apiworld import URL, ApiWorld
from fairway.testing.contracts.traffic import CLUSTER, TrafficContract

BOUNDS = (25.0, 50.0, 100.0)


class Envoy:
    """Envoy's page of counters."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, int]] = {"old": (0, 0), "new": (0, 0)}

    def answered(self, version: str, answers: int, errors: int) -> None:
        before = self.counts[version]
        self.counts[version] = (before[0] + answers, before[1] + errors)

    async def get(self, _page: str) -> str:
        return "\n".join(line for version in self.counts for line in self._lines(version))

    def _lines(self, version: str) -> list[str]:
        answers, errors = self.counts[version]
        name = f'envoy_cluster_name="http_shop_web_80_{version}"'
        found = [
            f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="2",{name}}} '
            f"{answers - errors}",
            f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5",{name}}} {errors}',
            f"envoy_cluster_upstream_rq_time_sum{{{name}}} {answers * 40}",
        ]
        for bound in (*BOUNDS, float("inf")):
            label = "+Inf" if bound == float("inf") else f"{bound:g}"
            count = answers if bound >= 40 else 0
            found.append(f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{label}"}} {count}')
        return found


class Looking:
    """Looks at Envoy's counters before each answer."""

    def __init__(self, counts: GatewayTraffic, traffic: Traffic) -> None:
        self._counts, self._traffic = counts, traffic

    async def measured(
        self, cluster: str, namespace: str, service: str, *, seconds: float, version: str
    ) -> Seen:
        await self._counts.look()
        return await self._traffic.measured(
            cluster, namespace, service, seconds=seconds, version=version
        )


@pytest.fixture
def envoy() -> Envoy:
    return Envoy()


@pytest.fixture
async def counts(envoy: Envoy, tmp_path: Path) -> GatewayTraffic:
    made = GatewayTraffic(envoy, tmp_path / "access.log")  # type: ignore[arg-type]  # its page only
    await made.look()
    return made


class TestInProcess(TrafficContract):
    @pytest.fixture
    def counted(self, envoy: Envoy) -> Callable[[str, int, int], None]:
        return envoy.answered

    @pytest.fixture
    def traffic(self, counts: GatewayTraffic) -> Traffic:
        return Looking(counts, GatewayCounts(counts, CLUSTER))


class TestOverHttp(TrafficContract):
    @pytest.fixture
    def counted(self, envoy: Envoy) -> Callable[[str, int, int], None]:
        return envoy.answered

    @pytest.fixture
    async def traffic(
        self, counts: GatewayTraffic, database: Database, tmp_path: Path
    ) -> AsyncIterator[Traffic]:
        world = ApiWorld(database, tmp_path)
        services = replace(world.services, traffic=counts, home_cluster=CLUSTER)
        transport = httpx.ASGITransport(app=api_app(services))
        made = HttpTraffic(URL, Secret(world.token("ada")), transport=transport)
        yield Looking(counts, made)
        await made.close()


async def test_a_token_that_does_not_hold_is_said(database: Database, tmp_path: Path) -> None:
    world = ApiWorld(database, tmp_path)
    transport = httpx.ASGITransport(app=api_app(world.services))
    made = HttpTraffic(URL, Secret("nothing"), transport=transport)
    with pytest.raises(Unavailable, match=r"rollout|does not tell") as raised:
        await made.measured(CLUSTER, "shop", "web", seconds=60.0, version="")
    assert raised.value.code == "no-gateway-counts"
    await made.close()
