"""`fairway serve --role gateway`: a process that is a gateway and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from gatewaybench import free_port, until
from gatewaytown import end, get

from fairway.gateway.watching import GATEWAY
from fairway.kit.aio import blocking
from fairway.kube import Actor, connect
from fairway.kube.errors import KubeNotFound
from fairway.native.programs import Programs
from fairway.testing.apiserver import ApiServer

pytestmark = pytest.mark.timeout(180)


async def tells(port: int) -> None:
    """Its pages are there."""
    for path, has in (("/healthz", "ok"), ("/readyz", "ok"), ("/metrics", "# TYPE fairway_")):
        async with httpx.AsyncClient(trust_env=False) as client:
            page = await client.get(f"http://127.0.0.1:{port}{path}")
        assert (page.status_code, has in page.text) == (200, True), (path, page.text)


async def test_a_gateway_alone_needs_no_database_and_leaves_envoy_running(
    server: ApiServer, native: Programs, tmp_path: Path
) -> None:
    config, data = tmp_path / "kubeconfig", tmp_path / "data"
    config.write_text(yaml.safe_dump(server.kubeconfig()))
    http, told = free_port(), free_port()
    own = {
        "FAIRWAY_CLUSTER__EMBEDDED": "off",
        "FAIRWAY_CLUSTER__KUBECONFIG": str(config),
        "FAIRWAY_GATEWAY__HTTP_PORT": str(http),
        "FAIRWAY_GATEWAY__HTTPS_PORT": str(free_port()),
        "FAIRWAY_GATEWAY__CONCURRENCY": "1",
        "FAIRWAY_GATEWAY__METRICS": f"127.0.0.1:{told}",
        "FAIRWAY_NATIVE__DIR": str(native.folder),
    }
    words = [sys.executable, "-m", "fairway", "serve", "--role", "gateway", "--data", str(data)]
    log = tmp_path / "log"
    with log.open("wb") as out:
        child = subprocess.Popen(words, env={**os.environ, **own}, stdout=out, stderr=out)
    kube = await connect(server.admin, Actor(manager="test"))
    try:

        async def programmed() -> bool:
            assert child.poll() is None, log.read_text()
            try:
                found = await kube.get(GATEWAY, "fairway", "fairway-system")
            except KubeNotFound:
                return False
            said = {one["type"]: one["status"] for one in found["status"]["conditions"]}
            return said.get("Programmed") == "True"

        await until(programmed, "our own Gateway programmed", 90)
        await tells(told)
        child.send_signal(signal.SIGTERM)
        assert await blocking(child.wait, 20) == 0, log.read_text()
        assert (await get(http, "x.localhost"))[0] == 404
        assert not [*data.glob("*.db")]
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        await kube.close()
        await end(data / "gateway")
