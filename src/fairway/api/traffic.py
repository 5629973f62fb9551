"""What the gateway of this process counted for a Service: for whoever judges a release by it."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from msgspec import structs

from fairway.api import guard
from fairway.api.services import Svc, Text, Who
from fairway.client.wire import cluster as wire
from fairway.gateway.traffic import Traffic
from fairway.model.errors import Forbidden, Unavailable
from fairway.model.token import TokenScope
from fairway.rollout.measured import QUANTILES, Seen

Seconds = Annotated[float, QueryParameter(gt=0, le=7200, description="The window, up to now.")]


class GatewayCounts:
    """`rollout.measured.Traffic` over the gateway of this process, which serves one cluster."""

    def __init__(self, traffic: Traffic, cluster: str) -> None:
        """`cluster`: the one that the gateway is for."""
        self._traffic = traffic
        self._cluster = cluster

    async def measured(
        self, cluster: str, namespace: str, service: str, *, seconds: float, version: str
    ) -> Seen:
        """See `Traffic`."""
        if cluster != self._cluster:
            raise Unavailable(
                f"the gateway here is for the cluster {self._cluster}, not for {cluster}",
                code="no-gateway-counts",
                remedy="judge a release in this cluster by another provider",
            )
        found = self._traffic.measured(namespace, service, seconds=seconds, version=version or None)
        shares = {f"{share:g}": found.quantile(share) for share in QUANTILES}
        return Seen(
            seconds=found.seconds,
            requests=found.requests,
            errors=found.classes["5xx"],
            latency_ms={share: value for share, value in shares.items() if value is not None},
        )


@get("/traffic", summary="What the gateway counted for a Service")
async def show_traffic(
    *,
    services: Svc,
    who: Who,
    cluster: Text,
    namespace: Text,
    service: Text,
    seconds: Seconds = 60.0,
    version: Text = "",
) -> wire.Traffic:
    """In the last seconds, of all pods or of those of one pod-template hash."""
    guard.signed_in(who)
    if not (who.holds(TokenScope.CLUSTER_READ) or who.holds(TokenScope.CLUSTER_WRITE)):
        raise Forbidden(
            f"the token lacks the scope {TokenScope.CLUSTER_READ}",
            code="token-scope",
            remedy=f"make a token with the scope {TokenScope.CLUSTER_READ}",
        )
    if services.traffic is None:
        raise Unavailable(
            "this process has no gateway", code="no-gateway-counts", remedy="ask one that has"
        )
    counts = GatewayCounts(services.traffic, services.home_cluster)
    found = await counts.measured(cluster, namespace, service, seconds=seconds, version=version)
    return wire.Traffic(**structs.asdict(found))


ROUTES = [show_traffic]
