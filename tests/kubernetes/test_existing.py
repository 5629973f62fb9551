"""An existing Kubernetes instead of the embedded one: `fairway up --kubeconfig F --context C`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_ground import api_server
from ground import Ground
from town import DOCKER, eventually

from fairway.kit.net import free_port
from fairway.native import programs
from fairway.testing.apiserver import ApiServer

NATIVE = os.environ.get("FAIRWAY_NATIVE__DIR", "")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path / "api", NATIVE) as made:
        yield made


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    folder = tmp_path / "ground"
    folder.mkdir()
    made = Ground(folder, DOCKER, free_port())
    del made.environment["FAIRWAY_CLUSTER__EMBEDDED"]  # "auto" gives way to a kubeconfig
    made.environment |= {
        "FAIRWAY_RUNNER__ENGINE": "local",
        "FAIRWAY_GATEWAY__ENABLED": "off",
        "FAIRWAY_NATIVE__DIR": str(programs.find(NATIVE).folder),
    }
    yield made
    done = made.run("down", "--purge", "--yes", "--data", str(made.data))
    assert done.code == 0, done.all
    shutil.rmtree(made.data, ignore_errors=True)


def up(ground: Ground, *words: str) -> None:
    done = ground.run("up", "--data", str(ground.data), "--port", str(ground.port), *words)
    assert done.code == 0, done.all


def test_an_existing_cluster_takes_the_place_of_the_embedded_one(
    ground: Ground, server: ApiServer, tmp_path: Path
) -> None:
    config = server.kubeconfig()
    config["contexts"].append({**config["contexts"][0], "name": "chosen"})
    config["current-context"] = "none"
    path = tmp_path / "existing.kubeconfig"
    path.write_text(json.dumps(config))
    up(ground, "--kubeconfig", str(path), "--context", "chosen")

    def ready() -> bool:
        [found] = ground.ok("get", "clusters", "-o", "json").json()["items"]
        assert (found["kind"], found["home"]) == ("existing", True)
        return bool(found["state"] == "ready")

    eventually(ready)
    assert not (ground.data / "cluster").exists()
    eventually(lambda: ground.run("kubectl", "get", "namespace", "fairway-system").code == 0)
    done = ground.run("kubectl", "create", "configmap", "a", "-n", "default")
    assert done.code == 0, done.all
    words = ("doctor", "--data", str(ground.data), "--port", str(ground.port), "-o", "json")
    found = {one["name"]: one for one in ground.run(*words).json()["items"]}
    assert found["cluster"]["health"] == "ok"
    reach = found["cluster local -> registry"]
    assert (reach["health"], "to the nodes this name means themselves" in reach["found"]) == (
        "warn", True,
    )  # fmt: skip

    server.kill("apiserver")

    def lost() -> bool:
        [now] = ground.ok("get", "clusters", "-o", "json").json()["items"]
        return now["state"] == "unreachable" and "does not answer" in now["reason"]

    eventually(lost)
    assert ground.run("get", "repos").code == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"users": [{"name": "u", "user": {"exec": {"command": "aws"}}}]}, "exec is not supported"),
        ({"current-context": "none"}, "it has no context 'none'"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told_before_anything_starts(
    ground: Ground, tmp_path: Path, *, change: dict[str, object], why: str
) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **change,
    }
    path = tmp_path / "bad.kubeconfig"
    path.write_text(json.dumps(config))
    done = ground.run("up", "--data", str(ground.data), "--port", str(ground.port),
                      "--kubeconfig", str(path))  # fmt: skip
    assert done.code == 2
    assert why in done.err
    assert not (ground.data / "run" / "fairway.json").exists()
