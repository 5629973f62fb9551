"""One Fairway with its embedded cluster for the whole session: `cluster`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from town import Town

from fairway.cluster import host
from fairway.testing.http import free_port

DOCKER = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A cluster takes some seconds to start, and its pods to come and go."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(300))


def why_not() -> str:
    """Why no cluster can be embedded here; "" when one can. The Go programs must be there."""
    obstacle = host.obstacle()
    return str(obstacle) if obstacle is not None else ""


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A Town that is up; it leaves nothing."""
    made = Town(folder, DOCKER, free_port())
    try:
        made.up()
        made.wait_ready()
        made.load_busybox()
        yield made
    finally:
        made.down()
        shutil.rmtree(made.data, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """The running system with its cluster, for tests that do it no harm."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture
def own_town(tmp_path: Path, own_loop: None) -> Iterator[Town]:
    """A cluster of a test's own, which it may kill."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path) as made:
        yield made
