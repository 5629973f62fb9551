"""What doctor says of clusters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairway.boot import cluster_checks
from fairway.boot.cluster_checks import MISSING, OK, WARN, run_checks, told
from fairway.client.wire.cluster import ClusterReach
from fairway.cluster import host, kubeconfig
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.settings import Cluster, Settings


@pytest.mark.parametrize(
    ("reached", "health", "word"),
    [(True, OK, "reach"), (False, WARN, "do not reach"), (None, WARN, "not found out")],
)
def test_what_a_clusters_nodes_reach(reached: bool | None, health: str, word: str) -> None:
    detail = "not found out: no rights" if reached is None else "no such host"
    reach = ClusterReach(what="registry", address="f.example", reached=reached, detail=detail)
    found = told("far", reach)
    assert (found.name, found.health) == ("cluster far -> registry", health)
    assert word in found.found
    assert bool(found.mend) is (reached is not True)
    if reached is None:
        assert found.mend == "its nodes must reach f.example by HTTPS"


def checked(folder: Path, **cluster: str) -> tuple[str, str, str]:
    [found] = run_checks(Settings(data=folder, cluster=Cluster(**cluster)))
    return found.health, found.found, found.mend


def test_an_existing_clusters_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    target = Target(server="https://away", token=Secret("t"), insecure=True)
    path.write_text(json.dumps(kubeconfig.written("x", target)))
    health, found, _ = checked(tmp_path, kubeconfig=str(path))
    assert (health, found) == (OK, "an existing one at https://away")
    health, found, mend = checked(tmp_path, kubeconfig=str(tmp_path / "none"))
    assert (health, "cannot be read" in found, bool(mend)) == (MISSING, True, True)


@pytest.mark.parametrize(("embedded", "health"), [("auto", WARN), ("on", MISSING), ("off", OK)])
def test_where_none_can_run_the_reason_and_the_way_out_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded: str, health: str
) -> None:
    why = Unavailable("only root can", code="cluster-needs-root", remedy="be root, or --kubeconfig")
    monkeypatch.setattr(host, "obstacle", lambda: why)
    found = checked(tmp_path, embedded=embedded)
    assert found[0] == health
    assert embedded == "off" or found[1:] == ("only root can", "be root, or --kubeconfig")


def test_missing_programs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_folder: str) -> None:
        raise Unavailable("there is no fairway-native", code="native-missing", remedy="build it")

    monkeypatch.setattr(host, "obstacle", lambda: None)
    monkeypatch.setattr(cluster_checks.programs, "find", find)
    assert checked(tmp_path) == (WARN, "there is no fairway-native", "build it")
