"""Applications on a real API server: synced, compared, healed, pruned, ended."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from gitops_town import Town, automated, config, town

from fairway.kube import Kube
from fairway.kube.kind import CONFIG_MAP
from fairway.native.programs import find
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """One toolbox for all tests here."""
    folder = tmp_path_factory.mktemp("toolbox")
    server = Server(folder, lambda: find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def place(kube: Kube, namespace: str, toolbox: Toolbox) -> AsyncIterator[Town]:
    """A controller of the test's own, whose Applications are in the test's namespace."""
    async with town(kube, namespace, toolbox) as made:
        yield made


async def test_a_new_application_is_synced_by_itself_and_follows_a_commit(
    place: Town, namespace: str, tmp_path: Path
) -> None:
    first = place.push("shop", config("a", key="1"))
    await place.create("shop", namespace, syncPolicy=automated())
    found = await place.until("shop", sync="Synced", health="Healthy", phase="Succeeded")
    assert found["status"]["sync"]["revision"] == first
    assert [one["name"] for one in found["status"]["resources"]] == ["a"]
    second = place.push("shop", config("a", key="2"), config("b", key="1"))
    found = await place.until("shop", sync="Synced", revision=second, phase="Succeeded")
    live = await place.kube.get(CONFIG_MAP, "a", namespace)
    assert live["data"] == {"key": "2"}
    assert [one["id"] for one in found["status"]["history"]] == [0, 1]
