"""Services of type LoadBalancer on a real Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from featurebench import serving

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_connections_are_handed_on_from_where_they_may_come(tmp_path: Path) -> None:
    balancer: dict[str, Any] = {"type": "LoadBalancer", "port": 8080}
    backends = {
        "open": balancer,
        "near": balancer | {"loadBalancerSourceRanges": ["127.0.0.0/8"]},
        "far": balancer | {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
    }
    async with serving(tmp_path, [], backends) as bench:
        assert await bench.lines(8080, "open", ASK) == b"H"
        assert await bench.lines(8080, "near", ASK) == b"H"
        assert await bench.lines(8080, "far", ASK) == b""
        assert len({bench.address(name) for name in backends}) == 3
