"""What a gateway alone tells by HTTP."""

from __future__ import annotations

import httpx

from fairway.boot.gateway_pages import pages


class Measured:
    def metrics(self) -> bytes:
        return b"# TYPE fairway_gateway_requests counter\n"


class Gateway:
    problem = ""
    traffic = Measured()


async def test_it_is_alive_ready_only_without_a_problem_and_tells_its_traffic() -> None:
    gateway = Gateway()
    transport = httpx.ASGITransport(app=pages(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).text == "ok\n"
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=")
        assert "fairway_gateway_requests" in metrics.text
        gateway.problem = "it waits for the cluster"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "it waits for the cluster\n")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/api/v1/repos")).status_code == 404
