"""One Kubernetes without containers for the session: API server, controllers, a fake kubelet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fairway.gateway import crds
from fairway.kube import Actor, Kube, connect
from fairway.kube.kind import NAMESPACE
from fairway.native import programs
from fairway.testing.apiserver import ApiServer
from fairway.testing.controllers import ControllerManager
from fairway.testing.fake_kubelet import FakeKubelet

ACTOR = Actor(manager="delivery-tests")
TIMEOUT_S = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test pays for the start of the servers."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


class _Thread:
    """The fake kubelet on a loop of its own, beside every test's."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="fake kubelet")
        self._up = threading.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(120)

    def stop(self) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        kube = await connect(self._server.admin, Actor(manager="fake-kubelet"))
        try:
            self._up.set()
            await FakeKubelet(kube).run()
        finally:
            await kube.close()


@pytest.fixture(scope="session")
def cluster_server(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[ApiServer]:
    """The running cluster, with the Gateway API's definitions."""
    native = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))
    server = ApiServer(native.native, tmp_path_factory.mktemp("api"))
    manager = ControllerManager(native.native, server)
    kubelet = _Thread(server)
    try:
        server.start()
        manager.start()
        kubelet.start()
        asyncio.run(_gateway_api(server, native.folder / "crds"))
        yield server
    finally:
        kubelet.stop()
        manager.stop()
        server.stop()


async def _gateway_api(server: ApiServer, folder: Path) -> None:
    kube = await connect(server.admin, ACTOR)
    try:
        found = [path for path in (folder, *folder.iterdir()) if path.is_dir()]
        for path in found:
            if any(path.glob("*.yaml")):
                await crds.install(kube, crds.read(path))
    finally:
        await kube.close()


@pytest.fixture
async def kube(cluster_server: ApiServer) -> AsyncIterator[Kube]:
    """A client that may do everything."""
    made = await connect(cluster_server.admin, ACTOR)
    yield made
    await made.close()


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own; its end is begun, not waited for."""
    name = f"t-{secrets.token_hex(4)}"
    await kube.create(NAMESPACE, {"metadata": {"name": name}})
    yield name
    await kube.delete(NAMESPACE, name)
