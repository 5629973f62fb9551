"""Analysis of releases in this process's clusters: in the role controllers."""

from __future__ import annotations

from typing import Final

from fairway.api.traffic import GatewayCounts
from fairway.app import App
from fairway.gateway.service import Service
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.queue.shards import Shards
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.controller import Analysis
from fairway.rollout.analysis.looking import Looker
from fairway.rollout.measured import Seen, Traffic
from fairway.rollout.measured_http import HttpTraffic
from fairway.rollout.metrics import providers
from fairway.rollout.metrics.fetching import Fetcher
from fairway.settings import Settings

KIND: Final = "analysis"


class AnalysisParts:
    """The controller, with the connections that it keeps."""

    def __init__(self, controller: Analysis, fetcher: Fetcher, traffic: Traffic) -> None:
        self._controller, self._fetcher, self._traffic = controller, fetcher, traffic

    async def run(self) -> None:
        """Work until cancelled; then close what is open."""
        try:
            await self._controller.run()
        finally:
            await self._fetcher.close()
            if isinstance(self._traffic, HttpTraffic):
                await self._traffic.close()


class NoCounts:
    """`Traffic` where nobody counts."""

    async def measured(
        self,
        cluster: str,
        namespace: str,  # noqa: ARG002 of nobody's
        service: str,  # noqa: ARG002
        *,
        seconds: float,  # noqa: ARG002
        version: str,  # noqa: ARG002
    ) -> Seen:
        """Raises `Unavailable`."""
        raise Unavailable(
            f"this process has no gateway, and knows of none that counts for {cluster}",
            code="no-gateway-counts",
            remedy="rollout.gateway_url names a Fairway that has the gateway",
        )


def controller(app: App, gateway: Service | None) -> AnalysisParts | None:
    """Of a process with the role controllers. `gateway`: this process's."""
    ports, given = app.ports, app.settings.rollout
    if ports.fleet is None or ports.toolbox is None:
        return None
    fetcher, conditions = Fetcher(given.metric_hosts), Conditions(ports.toolbox)
    counts = traffic(app.settings, gateway)
    known = providers(
        fetcher, ports.toolbox, conditions, counts, prometheus=given.prometheus_address
    )
    shards = Shards(app.database, KIND, app.holder)
    return AnalysisParts(Analysis(ports.fleet, shards, Looker(known, conditions)), fetcher, counts)


def traffic(settings: Settings, gateway: Service | None) -> Traffic:
    """Who tells what a version's traffic was like."""
    given = settings.rollout
    if gateway is not None:
        return GatewayCounts(gateway.traffic, settings.cluster.name)
    if given.gateway_url:
        return HttpTraffic(given.gateway_url, Secret(given.gateway_token))
    return NoCounts()
