"""100 weight changes under load: no error, and how long from the object to Envoy's confirmation.

A real kube-apiserver holds the objects; a watcher of the route's status is who notices.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import gateways
import lib
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.live import told
from fairway.gateway.service import Access, Service, Wanted
from fairway.gateway.snapshot import Place
from fairway.gateway.watching import HTTP_ROUTE
from fairway.kit.aio import background, blocking
from fairway.kit.net import free_port
from fairway.kube import Actor, Connection, Kind, Kube, connect
from fairway.kube.informer import Informer
from fairway.kube.kind import ENDPOINT_SLICE, NAMESPACE, SERVICE
from fairway.native import programs
from fairway.testing.apiserver import ApiServer

BAR = "<= 100"
NEEDS = ("load", "native")
CHANGES = 100
_SECONDS = 15  # of load
_SPACE = "bench"


def _address() -> str:
    """An address of this machine that an EndpointSlice may name: not a loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def _objects(host: str, ports: tuple[int, int]) -> list[tuple[Kind, dict[str, Any]]]:
    found: list[tuple[Kind, dict[str, Any]]] = [(NAMESPACE, {"metadata": {"name": _SPACE}})]
    for name, port in zip(("stable", "canary"), ports, strict=True):
        meta = {"name": name, "namespace": _SPACE}
        labels = {"kubernetes.io/service-name": name}
        ready = [{"addresses": [host], "conditions": {"ready": True}}]
        sliced = {
            "metadata": {**meta, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": port}],
            "endpoints": ready,
        }
        found.append((SERVICE, {"metadata": meta, "spec": {"ports": [{"port": 80}]}}))
        found.append((ENDPOINT_SLICE, sliced))
    refs = [{"name": name, "port": 80, "weight": 50} for name in ("stable", "canary")]
    route = {
        "metadata": {"name": "web", "namespace": _SPACE},
        "spec": {
            "parentRefs": [{"name": "fairway", "namespace": "fairway-system"}],
            "hostnames": [gateways.HOST],
            "rules": [{"backendRefs": refs}],
        },
    }
    found.append((HTTP_ROUTE, route))
    return found


async def _changed(kube: Kube, informer: Informer, weight: int) -> float:
    """Set the weights, and wait until the status says that they are live; milliseconds."""
    wanted = [100 - weight, weight]
    seen = asyncio.Event()

    def look(_old: Any, new: Any) -> None:
        found = told(new) if new else None
        if found and [share.weight for share in found.rules.get(0, ())] == wanted:
            seen.set()

    informer.on_change(look)
    began = time.perf_counter()
    patch = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": value}
        for place, value in enumerate(wanted)
    ]
    await kube.patch(HTTP_ROUTE, "web", _SPACE, body=patch, how="json")
    async with asyncio.timeout(20):
        await seen.wait()
    return (time.perf_counter() - began) * 1000


async def _measure(server: ApiServer, crds: Path, at: Folder) -> tuple[list[float], str]:
    http, https, first, second = (free_port() for _ in range(4))
    place = Place(
        folder=str(at.xds),
        binds=("127.0.0.1",),
        own="fairway-system/fairway",
        http_port=http,
        https_port=https,
    )

    async def find() -> Access:
        return Access(server.admin, place)

    service = Service(
        Wanted(folder=at, find=find, definitions=lambda: crds, free=lambda: None, concurrency=1)
    )
    host = _address()
    words = gateways.static(gateways.backends(first, second, host=host), at.root / "backends.json")
    kube = await _connect(server.admin)
    informer = Informer(kube, HTTP_ROUTE, optional=True)
    try:
        with gateways.envoy(words, at.root / "backends.log"):
            async with background(service.run(), informer.run()):
                while service.problem:
                    await service.changed.wait(1)
                for kind, one in _objects(host, (first, second)):
                    await kube.apply(kind, one, force=True)
                await blocking(gateways.answers, http)
                return await _flips(kube, informer, http)
    finally:
        await kube.close()
        await blocking(_end, at)


async def _connect(connection: Connection) -> Kube:
    return await connect(connection, Actor(manager="bench"))


async def _flips(kube: Kube, informer: Informer, port: int) -> tuple[list[float], str]:
    load = subprocess.Popen(
        gateways.wrk_command(port, _SECONDS, 8), stdout=subprocess.PIPE, text=True
    )
    took = [await _changed(kube, informer, number % 99 + 1) for number in range(CHANGES)]
    said, _ = await blocking(load.communicate)
    return took, said


def _end(at: Folder) -> None:
    from fairway.supervise import records

    records.stop_all(at.root / "run")


def main() -> None:
    """The benchmark."""
    found = programs.find()
    with gateways.folder() as root:
        (root / "gw").mkdir()
        server = ApiServer(found.native, root / "api")
        server.start()
        try:
            crds = found.folder / "crds" / "gateway-api"
            took, said = asyncio.run(_measure(server, crds, Folder(root / "gw")))
        finally:
            server.stop()
    rate = gateways.rate(said)  # raises for any error
    print(f"{CHANGES} changes: longest {max(took):.0f} ms, {rate:.0f} requests/s, no error")
    lib.finish("weight-flip", [statistics.median(took)], [1.0], BAR, unit="ms", errors=0)


if __name__ == "__main__":
    main()
