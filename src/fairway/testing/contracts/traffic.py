"""What every `rollout.measured.Traffic` does. Subclass it with fixtures `traffic` and `counted`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fairway.model.errors import Unavailable
from fairway.rollout.measured import Seen, Traffic

CLUSTER = "local"
NAMESPACE, SERVICE = "shop", "web"


class TrafficContract:
    """Counters of the Service shop/web in the cluster `local`: versions `old` and `new`."""

    @pytest.fixture
    def traffic(self) -> Traffic:
        """What is tested."""
        raise NotImplementedError

    @pytest.fixture
    def counted(self) -> Callable[[str, int, int], None]:
        """`counted(version, answers, errors)`: so many more, of 40 ms each."""
        raise NotImplementedError

    async def test_a_version_is_told_apart_from_others(
        self, traffic: Traffic, counted: Callable[[str, int, int], None]
    ) -> None:
        counted("old", 100, 0)
        counted("new", 10, 2)
        new = await self._seen(traffic, "new")
        assert (new.requests, new.errors) == (10, 2)
        everything = await self._seen(traffic, "")
        assert (everything.requests, everything.errors) == (110, 2)

    async def test_latencies_are_told_by_quantile(
        self, traffic: Traffic, counted: Callable[[str, int, int], None]
    ) -> None:
        counted("new", 10, 0)
        found = (await self._seen(traffic, "new")).latency_ms
        assert set(found) == {"0.5", "0.9", "0.95", "0.99", "0.999"}
        assert all(25 <= value <= 50 for value in found.values())

    async def test_what_had_no_request_has_no_latency(
        self, traffic: Traffic, counted: Callable[[str, int, int], None]
    ) -> None:
        counted("old", 1, 0)
        found = await self._seen(traffic, "unknown")
        assert (found.requests, found.errors, dict(found.latency_ms)) == (0, 0, {})

    async def test_another_cluster_is_not_counted_here(self, traffic: Traffic) -> None:
        with pytest.raises(Unavailable) as raised:
            await traffic.measured("far", NAMESPACE, SERVICE, seconds=60.0, version="")
        assert raised.value.code == "no-gateway-counts"

    async def _seen(self, traffic: Traffic, version: str) -> Seen:
        return await traffic.measured(CLUSTER, NAMESPACE, SERVICE, seconds=60.0, version=version)
