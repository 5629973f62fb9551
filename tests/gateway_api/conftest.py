"""A Fairway with its embedded cluster, in which the Gateway API's own suite runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from town import Town

from fairway.cluster import host
from fairway.kit.net import free_port

DOCKER = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
# The same as the build of native/: what it has compiled is used again.
GO = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false"}
MODULE = Path(__file__).parent / "conformance"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The suite takes some minutes, and the first build of it some more."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(1700))


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """The running system; it leaves nothing."""
    if (obstacle := host.obstacle()) is not None:
        pytest.skip(str(obstacle))
    made = Town(tmp_path_factory.mktemp("town"), DOCKER, free_port())
    try:
        made.up()
        made.wait_ready()
        yield made
    finally:
        made.down()
        shutil.rmtree(made.data, ignore_errors=True)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite as a program, and with its echo server."""
    go = os.environ.get("FAIRWAY_TEST_GO") or shutil.which("go") or "/usr/local/go/bin/go"
    folder = tmp_path_factory.mktemp("programs")
    environment = {**os.environ, **GO}
    echo = "sigs.k8s.io/gateway-api/conformance/echo-basic"
    for words in (
        ["test", "-c", "-vet=off", "-o", str(folder / "suite"), "."],
        ["build", "-ldflags=-s -w", "-o", str(folder / "echo-basic"), echo],
    ):
        subprocess.run([go, *words], cwd=MODULE, env=environment, check=True)
    return folder
