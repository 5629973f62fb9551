"""A real Envoy below a temporary folder, servers behind it, and callers in front of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.gateway.envoy.admin import Admin
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.envoy.files import Files
from fairway.gateway.envoy.process import NAME, EnvoySettings, component, watchable
from fairway.gateway.envoy.programmer import Confirmed, Programmer, Rejected
from fairway.gateway.snapshot import Resource, Snapshot, file_of
from fairway.kit.aio import background, blocking
from fairway.kit.net import free_port
from fairway.supervise.supervisor import Supervisor

HCM = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


class Server:
    """Answers every request with its name; counts them, and keeps the last one's headers."""

    def __init__(
        self, name: str, *, status: int = 200, delay_s: float = 0.0, host: str = "127.0.0.1"
    ) -> None:
        self.name, self.status, self.delay_s, self.host = name, status, delay_s, host
        self.count = 0
        self.seen: list[str] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Server]:
        """Serve inside the body."""
        server = await asyncio.start_server(self._client, self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            server.close_clients() if hasattr(server, "close_clients") else None

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length")
                    ),
                    0,
                )
                await reader.readexactly(length)
                self.count += 1
                self.seen.append(head)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                body = self.name.encode()
                writer.write(
                    b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b"
                    % (self.status, len(body), body)
                )
                await writer.drain()
        writer.close()


@dataclass
class Bench:
    """One Envoy with its programmer."""

    folder: Folder
    admin: Admin
    supervisor: Supervisor
    programmer: Programmer
    port: int

    @property
    def pid(self) -> int:
        """Envoy's process."""
        pid = self.supervisor.status(NAME).pid
        assert pid is not None
        return pid

    def snapshot(self, weights: Mapping[Server, int], **more: Any) -> Snapshot:
        """One listener whose only route leads to `weights`."""
        return snapshot(self.folder, self.port, weights, **more)

    async def apply(self, weights: Mapping[Server, int], **more: Any) -> Confirmed:
        """Bring it about; it must be confirmed."""
        done = await self.programmer.apply(self.snapshot(weights, **more))
        assert isinstance(done, Confirmed), done
        return done

    async def refuse(self, wanted: Snapshot) -> Rejected:
        """Try it; Envoy must refuse it."""
        done = await self.programmer.apply(wanted)
        assert isinstance(done, Rejected), done
        return done


@contextlib.asynccontextmanager
async def running(root: Path, *, drain_s: float = 0.2, most: int = 0) -> AsyncIterator[Bench]:
    """A bench whose Envoy is ended with it."""
    folder = Folder(root)
    files, admin = Files(folder), Admin(folder.admin)
    most = most or await blocking(watchable)
    await blocking(files.prepare)
    supervisor = Supervisor(root / "run")
    supervisor.add(component(EnvoySettings(folder=folder, concurrency=1), files, admin))
    programmer = Programmer(files, admin, drain_s=drain_s, most=most)
    try:
        async with background(supervisor.run(), programmer.run()):
            await supervisor.wait_ready(NAME)
            await programmer.load()
            yield Bench(folder, admin, supervisor, programmer, free_port())
            await supervisor.stop_all()
    finally:
        await admin.close()
        await supervisor.stop_all()


def source(folder: Folder, kind: Any, name: str) -> dict[str, Any]:
    """Where a subscription reads."""
    path = str(folder.xds / file_of(kind, name))
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def cluster(folder: Folder, name: str) -> Resource:
    """A cluster whose endpoints are a file."""
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source(folder, "endpoints", name)},
    }


def endpoints(name: str, *ports: int) -> Resource:
    """Endpoints on loopback."""

    def one(port: int) -> dict[str, Any]:
        where = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        return {"endpoint": {"address": where}}

    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [one(port) for port in ports]}]}


def listener(folder: Folder, name: str, port: int) -> Resource:
    """A listener that reads its routes from a file."""
    manager = {
        "@type": HCM,
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": source(folder, "routes", name)},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }


def route_config(name: str, routes: list[dict[str, Any]]) -> Resource:
    """Routes for all hosts."""
    host = {"name": "all", "domains": ["*"], "routes": routes}
    return {"name": name, "virtual_hosts": [host]}


def weighted(weights: Mapping[str, int], **match: Any) -> dict[str, Any]:
    """A route that splits by weight."""
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return {
        "match": {"prefix": "/", **match},
        "route": {"weighted_clusters": {"clusters": clusters}},
    }


def snapshot(
    folder: Folder,
    port: int,
    weights: Mapping[Server, int],
    *,
    routes: list[dict[str, Any]] | None = None,
    name: str = "fw-test",
) -> Snapshot:
    """One listener whose routes, or whose only weighted route, lead to servers."""
    shares = {f"http_ns_{server.name}_80_-": weight for server, weight in weights.items()}
    found = [*(routes or []), weighted(shares)] if shares else (routes or [])
    ports = {f"http_ns_{server.name}_80_-": server.port for server in weights}
    return Snapshot(
        listeners={name: listener(folder, name, port)},
        routes={name: route_config(name, found)},
        clusters={each: cluster(folder, each) for each in ports},
        endpoints={each: endpoints(each, number) for each, number in ports.items()},
    )


@dataclass
class Load:
    """Callers that keep their connections; `errors` are answers other than 200 and cut reads."""

    port: int
    host: str = "webflix.localhost"
    answers: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    stopping: bool = False

    async def caller(self) -> None:
        """Ask until told to stop."""
        while not self.stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.errors.append(f"connect: {error}")
                await asyncio.sleep(0.01)
                continue
            try:
                while not self.stopping:
                    status, body = await ask(reader, writer, headers={"host": self.host})
                    if status == 200:
                        self.answers[body] += 1
                    else:
                        self.errors.append(f"{status} {body}")
            except (OSError, asyncio.IncompleteReadError) as error:
                self.errors.append(f"cut: {error!r}")
            finally:
                writer.close()

    @contextlib.asynccontextmanager
    async def run(self, callers: int = 4) -> AsyncIterator[Load]:
        """Callers ask while the body runs; those under way are finished."""
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self.caller())
            try:
                yield self
            finally:
                self.stopping = True


async def ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """One request on a connection: status and body."""
    named = {"host": "webflix.localhost", **(headers or {})}
    lines = "".join(f"{key}: {value}\r\n" for key, value in named.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        (
            int(x.split(":")[1])
            for x in head.lower().split("\r\n")
            if x.startswith("content-length")
        ),
        0,
    )
    body = await reader.readexactly(length)
    return int(head.split()[1]), body.decode()


async def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, path, headers)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until(condition: Any, what: str, seconds: float = 90.0) -> None:
    """Wait for a condition, sync or async."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert asyncio.get_running_loop().time() < end, f"never: {what}"
        await asyncio.sleep(0.01)
