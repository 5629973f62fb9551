"""The installation's own clusters: of a kubeconfig, kept here, or kept by another process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.boot.clusters import OwnClusters
from fairway.cluster import kubeconfig
from fairway.cluster.known import Kind
from fairway.cluster.layout import layout
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.settings import Cluster, Settings, load
from fairway.testing.clusters import FakeOwned

AWAY = Target(server="https://away", token=Secret("t"), insecure=True)


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kubeconfig.written("x", AWAY)))
    return path


async def test_an_existing_cluster_is_the_only_own_one(tmp_path: Path) -> None:
    given = Cluster(kubeconfig=str(written(tmp_path / "config")), name="prod")
    own = await OwnClusters(Settings(data=tmp_path, cluster=given), FakeOwned()).own()
    assert [(one.name, one.kind, one.target) for one in own] == [("prod", Kind.EXISTING, AWAY)]


async def test_a_kubeconfig_that_is_not_there_yet_is_the_reason(tmp_path: Path) -> None:
    given = Cluster(kubeconfig=str(tmp_path / "none"))
    [own] = await OwnClusters(Settings(data=tmp_path, cluster=given), None).own()
    assert (own.target, "cannot be read" in own.reason) == (None, True)


async def test_those_that_this_process_keeps_are_its_own(tmp_path: Path) -> None:
    own = await OwnClusters(Settings(data=tmp_path), FakeOwned()).own()
    assert [one.name for one in own] == ["local"]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for a cluster's sockets."""
    with tempfile.TemporaryDirectory(prefix="fw-", dir="/tmp") as name:
        yield Path(name)


async def test_those_that_another_process_keeps_are_found_by_their_files(short: Path) -> None:
    for name in ("first", "local", "broken"):
        paths = layout(short, name)
        paths.folder.mkdir(parents=True)
        paths.plan.write_text("{}")
        if name != "broken":
            written(paths.kubeconfig("admin"))
    clusters = OwnClusters(Settings(data=short), None)
    own = await clusters.own()
    assert [(one.name, one.target) for one in own] == [
        ("local", AWAY),
        ("broken", None),
        ("first", AWAY),
    ]
    with pytest.raises(Unavailable, match="keeps no embedded clusters"):
        await clusters.create("x")
    with pytest.raises(Unavailable, match="keeps no embedded clusters"):
        await clusters.delete("local")


def test_two_own_clusters_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="exclude each other"):
        load(tmp_path, {"cluster": {"kubeconfig": "x", "embedded": "on"}})
