"""A Kubernetes API without nodes for the tests of a file, and a gateway that follows it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from gatewaybench import Server
from gatewaytown import Far, Town, end, town

from fairway.gateway.watching import HTTP_ROUTE
from fairway.native import programs
from fairway.native.programs import Programs
from fairway.testing.apiserver import ApiServer


@pytest.fixture(scope="module")
def native() -> Programs:
    """The Go programs."""
    return programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))


@pytest.fixture(scope="module")
def server(native: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The API server."""
    made = ApiServer(native.native, tmp_path_factory.mktemp("api"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def crds(native: Programs) -> Path:
    """The folder of the Gateway API's definitions."""
    return native.folder / "crds" / "gateway-api"


@pytest.fixture
async def here(tmp_path: Path, server: ApiServer, crds: Path) -> AsyncIterator[Town]:
    """A gateway for one test."""
    root = tmp_path / "gw"
    try:
        async with town(root, server.admin, crds) as found:
            yield found
            for route in await found.kube.list(HTTP_ROUTE):
                meta = route["metadata"]
                await found.kube.delete(HTTP_ROUTE, meta["name"], meta["namespace"])
    finally:
        await end(root)


@pytest.fixture
async def a() -> AsyncIterator[Server]:
    """A server that says `a`, where EndpointSlices may name it."""
    async with Far("a").run() as server:
        yield server
