"""Gateways for benchmarks: Envoy as Fairway programs it, Envoy by hand, a server behind both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairway.gateway.compose import compose
from fairway.gateway.envoy.admin import Admin, until_ready
from fairway.gateway.envoy.bootstrap import LATENCY_BUCKETS, Folder, command
from fairway.gateway.envoy.files import Files
from fairway.gateway.envoy.process import program, watchable
from fairway.gateway.envoy.programmer import Confirmed, Programmer
from fairway.gateway.snapshot import CLASS, CONTROLLER, Place, World

HOST = "bench.localhost"
_HCM = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path, for sockets; removed with the block."""
    path = Path(tempfile.mkdtemp(prefix="fw-bench-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def envoy(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An Envoy that is ended with the block."""
    with log.open("wb") as out:
        child = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _address(port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(
    port: int, prefix: str, routes: list[dict[str, Any]], *, host: str = "127.0.0.1"
) -> dict[str, Any]:
    config = {
        "name": prefix,
        "virtual_hosts": [{"name": prefix, "domains": ["*"], "routes": routes}],
    }
    manager = {
        "@type": _HCM,
        "stat_prefix": prefix,
        "route_config": config,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    return {
        "name": prefix,
        "address": _address(port, host),
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }


def backends(first: int, second: int, *, host: str = "127.0.0.1") -> dict[str, Any]:
    """Two servers that answer `a` and `b` at once."""

    def say(word: str) -> list[dict[str, Any]]:
        answer = {"status": 200, "body": {"inline_string": word}}
        return [{"match": {"prefix": "/"}, "direct_response": answer}]

    pairs = (("a", first), ("b", second))
    listeners = [_listener(port, word, say(word), host=host) for word, port in pairs]
    return {"static_resources": {"listeners": listeners}}


def by_hand(port: int, first: int, second: int, share: int) -> dict[str, Any]:
    """A static configuration with the same weighted route and the same statistics."""

    def cluster(name: str, at: int) -> dict[str, Any]:
        place = {"endpoint": {"address": _address(at)}}
        return {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [place]}]},
        }

    weights = [{"name": "stable", "weight": 100 - share}, {"name": "canary", "weight": share}]
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weights}}}
    buckets = {"match": {"suffix": "upstream_rq_time"}, "buckets": list(LATENCY_BUCKETS)}
    return {
        "static_resources": {
            "listeners": [_listener(port, "gateway", [route])],
            "clusters": [cluster("stable", first), cluster("canary", second)],
        },
        "stats_config": {"histogram_bucket_settings": [buckets]},
    }


def static(config: dict[str, Any], at: Path) -> list[str]:
    """The command of an Envoy with this configuration and one worker."""
    at.write_text(json.dumps(config))
    return [
        str(program()), "--config-path", str(at), "--disable-hot-restart", "--concurrency", "1",
        "--log-level", "warning",
    ]  # fmt: skip


def world(xds: Path, port: int, pair: tuple[int, int], share: int) -> World:
    """The same as objects of the Gateway API: a Gateway, two Services, a route."""
    meta = {"namespace": "bench", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1}

    def service(name: str, at: int) -> tuple[dict[str, Any], dict[str, Any]]:
        slice_meta = {**meta, "name": name, "labels": {"kubernetes.io/service-name": name}}
        ports = [{"name": "", "port": at, "protocol": "TCP"}]
        ready = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
        return (
            {"metadata": {**meta, "name": name}, "spec": {"ports": [{"port": 80}]}},
            {"metadata": slice_meta, "addressType": "IPv4", "ports": ports, "endpoints": ready},
        )

    found = [service("stable", pair[0]), service("canary", pair[1])]
    refs = [
        {"name": "stable", "port": 80, "weight": 100 - share},
        {"name": "canary", "port": 80, "weight": share},
    ]
    objects: dict[str, list[dict[str, Any]]] = {
        "GatewayClass": [
            {"metadata": {**meta, "name": CLASS}, "spec": {"controllerName": CONTROLLER}}
        ],
        "Namespace": [{"metadata": {**meta, "name": "bench"}}],
        "Gateway": [
            {
                "metadata": {**meta, "name": "gateway"},
                "spec": {
                    "gatewayClassName": CLASS,
                    "listeners": [{"name": "http", "port": port, "protocol": "HTTP"}],
                },
            }
        ],
        "HTTPRoute": [
            {
                "metadata": {**meta, "name": "web"},
                "spec": {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": refs}]},
            }
        ],
        "Service": [one for one, _ in found],
        "EndpointSlice": [one for _, one in found],
    }
    place = Place(
        folder=str(xds),
        binds=("127.0.0.1",),
        published=("127.0.0.1",),
        access_log=str(xds.parent / "access.log"),
    )
    return World(place=place, objects=objects)


@contextlib.contextmanager
def ours(root: Path, port: int, pair: tuple[int, int], share: int) -> Iterator[None]:
    """Envoy as Fairway programs it, with one worker; ready when the block begins."""
    at = Folder(root / "gw")
    Files(at).prepare()
    watchable()
    with envoy(command(at, program(), concurrency=1, drain_s=1), at.log):
        asyncio.run(_programmed(at, world(at.xds, port, pair, share)))
        yield


async def _programmed(at: Folder, found: World) -> None:
    admin = Admin(at.admin)
    try:
        if not await until_ready(admin, 10):
            raise RuntimeError(f"Envoy did not start: {at.log.read_text()}")
        programmer = Programmer(Files(at), admin, drain_s=1, most=1000)
        done = await programmer.apply(compose(found).snapshot)
        if not isinstance(done, Confirmed):
            raise TypeError(str(done))
    finally:
        await admin.close()


def answers(port: int) -> None:
    """Wait until a port answers."""
    end = time.monotonic() + 10
    while True:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": HOST})
            with urllib.request.urlopen(request, timeout=1):
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def wrk(port: int, seconds: int) -> float:
    """Requests a second; raises where any answer is not as it should be."""
    words = wrk_command(port, seconds, 32)
    return rate(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def wrk_command(port: int, seconds: int, callers: int) -> list[str]:
    """A load of so many callers that keep their connections."""
    url = f"http://127.0.0.1:{port}/"
    return ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "-H", f"Host: {HOST}", url]


def rate(said: str) -> float:
    """Requests a second, as wrk said; raises where any answer is not as it should be."""
    if bad := _BAD.search(said):
        raise RuntimeError(bad[0])
    found = _RATE.search(said)
    if found is None:
        raise RuntimeError(said)
    return float(found[1])
