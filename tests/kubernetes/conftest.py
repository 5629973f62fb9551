"""One Fairway with its embedded cluster for the whole session: `cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from town import Town, busy, town, why_not


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A cluster takes some seconds to start, and its pods to come and go."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """The running system with its cluster, for tests that do it no harm."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture(scope="session")
def loaded(cluster: Town) -> Iterator[str]:
    """A namespace with a Deployment `busy`, made early: metrics of it come in their own time, and
    what grows by them needs minutes.
    """
    with cluster.namespace("loaded") as space:
        cluster.apply(*busy("busy", space))
        yield space


@pytest.fixture
def own_town(tmp_path: Path, own_loop: None) -> Iterator[Town]:
    """A cluster of a test's own, which it may kill."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path) as made:
        yield made
