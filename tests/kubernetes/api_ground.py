"""The ground of the Kubernetes contracts on a real API server, behind the proxy of faults."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from fairway.kube import Actor, Connection, Kube, connect
from fairway.kube.kind import NAMESPACE
from fairway.native import programs
from fairway.testing.apiserver import ApiServer
from fairway.testing.fault_proxy import FaultProxy, proxy
from fairway.testing.kubefaults import Faults

ACTOR = Actor(manager="contract")


@contextmanager
def api_server(folder: Path, native_dir: str) -> Iterator[ApiServer]:
    """A server for the block."""
    server = ApiServer(programs.find(native_dir).native, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


class RealGround:
    """`KubeGround` on a real server."""

    def __init__(self, server: ApiServer, between: FaultProxy, *, kube: Kube, direct: Kube) -> None:
        self.kube = kube
        self.direct = direct
        self.faults = between.faults
        self.namespace = f"t-{secrets.token_hex(4)}"
        self._server = server
        self._between = between

    async def cut(self) -> None:
        """Cut what goes through the proxy."""
        self._between.cut()

    async def restart(self) -> None:
        """Kill the server and start it again."""
        self._server.kill()
        await asyncio.to_thread(self._server.start)


@asynccontextmanager
async def client(connection: Connection) -> AsyncIterator[Kube]:
    """A client for the block."""
    kube = await connect(connection, ACTOR)
    try:
        yield kube
    finally:
        await kube.close()


@asynccontextmanager
async def real_ground(server: ApiServer) -> AsyncIterator[RealGround]:
    """A ground with a namespace of its own."""
    pair = server.issue("proxy", hosts=("127.0.0.1",))
    async with (
        client(server.admin) as direct,
        proxy(server.admin, pair, Faults()) as between,
        client(between.connection) as kube,
    ):
        ground = RealGround(server, between, kube=kube, direct=direct)
        await direct.create(NAMESPACE, {"metadata": {"name": ground.namespace}})
        yield ground
