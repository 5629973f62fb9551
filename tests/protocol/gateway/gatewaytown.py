"""A real Kubernetes API without nodes, a gateway that follows it, and servers behind that."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewaybench import Server, free_port, until

from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.live import Live, told
from fairway.gateway.service import Access, Service, Wanted
from fairway.gateway.snapshot import Place
from fairway.gateway.watching import HTTP_ROUTE
from fairway.kit.aio import background, blocking
from fairway.kube import Actor, Connection, Json, Kind, Kube, connect
from fairway.kube.kind import ENDPOINT_SLICE, SERVICE
from fairway.supervise import records

SPACE = "default"
OWN = {"name": "fairway", "namespace": "fairway-system"}


def address() -> str:
    """An address of this machine that an EndpointSlice may name: not a loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


class Far(Server):
    """A server at the address that EndpointSlices may name."""

    def __init__(self, name: str) -> None:
        super().__init__(name, host=address())


@dataclass
class Town:
    """What tests do with it."""

    kube: Kube
    service: Service
    folder: Folder
    http: int
    https: int

    async def backend(self, server: Server, name: str = "") -> str:
        """A Service whose only endpoint is this server; its name."""
        name = name or server.name
        meta = {"name": name, "namespace": SPACE}
        await self.kube.apply(
            SERVICE, {"metadata": meta, "spec": {"ports": [{"port": 80}]}}, force=True
        )
        ready = [{"addresses": [address()], "conditions": {"ready": True}}]
        sliced = {
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": server.port}],
            "endpoints": ready,
        }
        await self.kube.apply(ENDPOINT_SLICE, sliced, force=True)
        return name

    async def route(self, name: str, weights: Mapping[str, int], **rule: Any) -> Json:
        """A route for NAME.localhost."""
        refs = [{"name": one, "port": 80, "weight": weight} for one, weight in weights.items()]
        spec = {
            "parentRefs": [OWN],
            "hostnames": [f"{name}.localhost"],
            "rules": [{"backendRefs": refs, **rule}],
        }
        meta = {"name": name, "namespace": SPACE}
        return await self.kube.apply(HTTP_ROUTE, {"metadata": meta, "spec": spec}, force=True)

    async def live(self, name: str, generation: int) -> Live:
        """What its status says once this generation is live."""
        found: list[Live] = []

        async def look() -> bool:
            said = told(await self.kube.get(HTTP_ROUTE, name, SPACE))
            found[:] = [said] if said else []
            return said is not None and said.generation >= generation

        await until(look, f"{name} live")
        return found[0]

    async def condition(self, kind: Kind, name: str, type_: str, *, status: str) -> Json:
        """A route's condition of our parent, once it has this status."""
        found: list[Json] = []

        async def look() -> bool:
            obj = await self.kube.get(kind, name, SPACE)
            parents = (obj.get("status") or {}).get("parents") or []
            found[:] = [
                one
                for parent in parents
                for one in parent["conditions"]
                if (one["type"], one["status"]) == (type_, status)
            ]
            return bool(found)

        await until(look, f"{type_} {status} of {name}")
        return found[0]

    @property
    def envoy(self) -> int:
        """Envoy's pid."""
        status = self.service.component()
        assert status is not None
        assert status.pid is not None
        return status.pid


@contextlib.asynccontextmanager
async def town(
    root: Path, server: Connection, crds: Path, *, ports: tuple[int, int] = (0, 0)
) -> AsyncIterator[Town]:
    """A gateway that follows the server; Envoy outlives it, as it does in earnest: `end` it."""
    folder = Folder(root)
    http, https = ports[0] or free_port(), ports[1] or free_port()
    place = Place(
        folder=str(folder.xds),
        addresses="127.77.0.0/24",
        own="fairway-system/fairway",
        own_binds=("127.0.0.1",),
        http_port=http,
        https_port=https,
        access_log=str(folder.access_log),
        access_log_percent=100.0,
    )

    async def find() -> Access:
        return Access(server, place)

    service = Service(
        Wanted(
            folder=folder,
            find=find,
            definitions=lambda: crds,
            free=lambda: None,
            concurrency=1,
            drain_s=0.2,
        )
    )
    kube = await connect(server, Actor(manager="test"))
    try:
        async with background(service.run()):
            await until(lambda: not service.problem, "the gateway is well", 60)
            yield Town(kube, service, folder, http, https)
    finally:
        await kube.close()


async def end(root: Path) -> None:
    """End its Envoy."""
    await blocking(records.stop_all, root / "run")


async def get(
    port: int, host: str, path: str = "/", *, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """One request for a host: status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())
    try:
        text = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"
        writer.write(text.encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body
