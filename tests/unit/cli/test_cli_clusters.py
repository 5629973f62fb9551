"""The command line's part in clusters: what it prints, writes and becomes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.boot import kubectl as machine
from fairway.cluster import kubeconfig
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.testing.apiworld import ApiWorld
from fairway.testing.clusters import ClusterWorld
from fairway.testing.commandline import Line

AWAY = Target(server="https://away", token=Secret("their-token"), insecure=True)


@pytest.fixture
def world(api_world: ApiWorld) -> ClusterWorld:
    return ClusterWorld(api_world)


@pytest.fixture
def file(tmp_path: Path, world: ClusterWorld) -> str:
    path = tmp_path / "away.kubeconfig"
    path.write_text(json.dumps(kubeconfig.written("x", AWAY)))
    return str(path)


def test_a_cluster_is_added_listed_and_removed(fairway: Line, file: str) -> None:
    done = fairway("cluster", "add", "away", "--kubeconfig", file, "--label", "env=prod")
    assert done.exit_code == 0, done.stderr
    assert "their-token" not in done.stdout
    listed = fairway("get", "clusters").stdout.splitlines()
    assert [line.split()[:4] for line in listed[1:]] == [
        ["local", "embedded", "(home)", "ready"],
        ["away", "registered", "ready", "v1.36.3"],
    ]
    assert fairway("cluster", "get", "away", "-o", "json").stdout.count('"env": "prod"') == 1
    assert "away is forgotten" in fairway("cluster", "remove", "away", "--yes").stderr
    assert fairway("cluster", "get", "away").exit_code == 5


def test_a_kubeconfig_comes_by_the_input_too(fairway: Line, world: ClusterWorld) -> None:
    text = json.dumps(kubeconfig.written("x", AWAY))
    done = fairway("cluster", "add", "away", "--kubeconfig", "-", "-o", "name", data=text)
    assert (done.exit_code, done.stdout) == (0, "away\n"), done.stderr


def test_a_kubeconfig_that_cannot_travel_is_refused_here(fairway: Line, tmp_path: Path) -> None:
    path = tmp_path / "config"
    config = kubeconfig.written("x", AWAY)
    config["users"][0]["user"] = {"exec": {"command": "aws"}}
    path.write_text(json.dumps(config))
    done = fairway("cluster", "add", "away", "--kubeconfig", str(path))
    assert (done.exit_code, "exec is not supported" in done.stderr) == (2, True)
    done = fairway("cluster", "add", "away", "--kubeconfig", str(tmp_path / "none"))
    assert (done.exit_code, "cannot be read" in done.stderr) == (2, True)


def test_an_embedded_one_is_created_and_deleted(fairway: Line, world: ClusterWorld) -> None:
    assert "starting" in fairway("cluster", "create", "second").stdout
    assert fairway("cluster", "delete", "second").exit_code != 0
    assert "is deleted" in fairway("cluster", "delete", "second", "--yes").stderr


def test_the_kubeconfig_leads_through_fairway_with_our_token(
    fairway: Line, world: ClusterWorld
) -> None:
    found = yaml.safe_load(fairway("kubeconfig").stdout)
    assert found["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:16443/clusters/local"
    assert found["users"][0]["user"]["token"].startswith("fwy_")
    assert found["current-context"] == "fairway-local"


def test_a_merged_one_keeps_what_is_others(
    fairway: Line, world: ClusterWorld, tmp_path: Path
) -> None:
    path = tmp_path / "kube" / "config"
    assert fairway("kubeconfig", "--merge", "--file", str(path)).exit_code == 0
    known = yaml.safe_load(path.read_text())
    known["contexts"].append({"name": "mine", "context": {"cluster": "c", "user": "u"}})
    known["preferences"] = {"colors": True}
    path.write_text(yaml.safe_dump(known))
    assert fairway("kubeconfig", "--merge", "--file", str(path)).exit_code == 0
    found = yaml.safe_load(path.read_text())
    assert sorted(one["name"] for one in found["contexts"]) == ["fairway-local", "mine"]
    assert found["preferences"] == {"colors": True}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["- a", "a: [", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_left_alone(
    fairway: Line, world: ClusterWorld, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    done = fairway("kubeconfig", "--merge", "--file", str(path))
    assert (done.exit_code, "bad-kubeconfig" in done.stderr) == (2, True)
    assert path.read_text() == text


class BecameError(Exception):
    """Stands for the process that we would have become."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.words = words
        self.config = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text())


@pytest.fixture
def becoming(monkeypatch: pytest.MonkeyPatch) -> list[BecameError]:
    """What the process would have become, in order."""
    found: list[BecameError] = []

    def execve(program: str, words: list[str], environment: dict[str, str]) -> Any:
        assert program == words[0]
        found.append(BecameError(words, environment))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(machine, "command", lambda tool: ["/bin/native", tool])
    return found


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (["kubectl", "get", "pods", "-o", "name"], ["kubectl", "get", "pods", "-o", "name"]),
        (["kubectl", "-n", "x", "get", "--help"], ["kubectl", "-n", "x", "get", "--help"]),
        (["kubectl", "--cluster", "local", "get", "ns"], ["kubectl", "get", "ns"]),
        (["kubectl", "exec", "p", "--", "ls", "--cluster", "x"],
         ["kubectl", "exec", "p", "--", "ls", "--cluster", "x"]),
        (["helm", "list", "-A"], ["helm", "list", "-A"]),
    ],
)  # fmt: skip
def test_the_tools_get_their_own_words(
    fairway: Line,
    world: ClusterWorld,
    becoming: list[BecameError],
    *,
    words: list[str],
    passed: list[str],
) -> None:
    fairway(*words)
    [became] = becoming
    assert became.words == ["/bin/native", *passed]
    assert became.config["clusters"][0]["cluster"]["server"].endswith("/clusters/local")


def test_a_tool_is_not_run_for_a_cluster_that_is_not_there(
    fairway: Line, world: ClusterWorld, becoming: list[BecameError]
) -> None:
    done = fairway("kubectl", "--cluster", "none", "get", "pods")
    assert (done.exit_code, "no-cluster" in done.stderr) == (5, True)
    assert becoming == []


def test_loading_ends_with_one_when_a_node_lacks_the_image(
    fairway: Line, world: ClusterWorld
) -> None:
    done = fairway("image", "load", "tide/app:none")
    assert (done.exit_code, "no-image" in done.stderr) == (5, True)
