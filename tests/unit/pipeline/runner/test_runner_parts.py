"""The runner's pure parts: images, credentials, environments, names of containers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.pipeline.compile.context import NETRC_PASSWORD
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.engine import Place
from fairway.pipeline.engines import spec
from fairway.pipeline.engines.images import is_latest, registry_host
from fairway.pipeline.graph import Mount, SecretRef, StageGraph, StepGraph, Volume
from fairway.pipeline.runner.environment import at_start, hidden
from fairway.pipeline.runner.images import auths, resolve
from fairway.pipeline.runner.workspaces import FolderWorkspaces, disk_use, tree


def lease(**fields: Any) -> Lease:
    base: dict[str, Any] = {"stage": 1, "build": 1, "key": "k", "token": "t", "steps": []}
    base |= {"secrets": {}, "environment": {}, "graph": StageGraph(name="p", type="docker")}
    return Lease(**{**base, **fields})


@pytest.mark.parametrize(
    ("written", "full", "built", "expected"),
    [
        ("web:1", "docker.io/library/web:1", {"web:1": "web@sha256:1"}, "r:5/web@sha256:1"),
        ("web", "docker.io/library/web:latest", {"web:latest": "web@sha256:1"}, "r:5/web@sha256:1"),
        ("r:5/a/b:1", "r:5/a/b:1", {"r:5/a/b:1": "a/b@sha256:2"}, "r:5/a/b@sha256:2"),
        ("a/b:2", "docker.io/a/b:2", {"a/b:1": "a/b@sha256:2"}, "docker.io/a/b:2"),
        ("a/b@sha256:9", "a/b@sha256:9", {"a/b:latest": "a/b@sha256:2"}, "a/b@sha256:9"),
    ],
)
def test_an_image_of_this_build_is_used_by_its_digest(
    written: str, full: str, built: dict[str, str], *, expected: str
) -> None:
    step = StepGraph(name="s", number=1, image=full, image_written=written)
    assert resolve(step, built, "r:5").image == expected


def test_pull_secrets_and_our_own_registry_become_credentials() -> None:
    config = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": "dTpwOnc="},
            "quay.example": {"username": "a", "password": "b"},
            "gcr.example": {"identitytoken": "t"},
        }
    }
    graph = StageGraph(name="p", type="docker", pull_secrets=("DockerConfig",))
    what = lease(
        graph=graph,
        secrets={"dockerconfig": json.dumps(config)},
        registry="127.0.0.1:5000",
        registry_token="tok",
    )
    found = {host: json.loads(auth.reveal()) for host, auth in auths(what, graph).items()}
    assert (found["docker.io"]["username"], found["docker.io"]["password"]) == ("u", "p:w")
    assert found["quay.example"]["password"] == "b"
    assert found["gcr.example"]["identitytoken"] == "t"
    assert found["127.0.0.1:5000"]["password"] == "tok"


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"auths": {"h": {}}}', '{"auths": {"h": {"auth": "%"}}}']
)
def test_a_pull_secret_that_is_none_is_refused_by_its_name(text: str) -> None:
    graph = StageGraph(name="p", type="docker", pull_secrets=("conf",))
    with pytest.raises(InvalidInput, match="conf") as caught:
        auths(lease(graph=graph, secrets={"conf": text}), graph)
    assert text not in str(caught.value) or text == "[]"


def test_late_variables_win_over_a_steps_own_and_the_clones_password_is_put_in() -> None:
    step = StepGraph(
        name="s",
        number=3,
        environment={
            "DRONE_STAGE_STARTED": "own",
            "MINE": "kept",
            "EMPTY": "",
            "NETRC": SecretRef(NETRC_PASSWORD),
            "NONE": SecretRef("none"),
        },
    )
    what = lease(
        environment={"DRONE_STAGE_STARTED": "7", "DRONE_BUILD_STATUS": "success", "NIL": ""},
        clone_password="pw123",
    )
    found = at_start(what, step, failed=["a", "b"])
    assert found["DRONE_STAGE_STARTED"] == "7"
    assert found["MINE"] == "kept"
    assert found["NETRC"] == Secret("pw123")
    assert found["NONE"] == Secret("")
    assert found["DRONE_BUILD_STATUS"] == found["DRONE_STAGE_STATUS"] == "failure"
    assert found["DRONE_FAILED_STEPS"] == "a,b"
    assert not {"EMPTY", "NIL"} & set(found)
    assert "pw123" in hidden(what)


def test_another_stages_failure_is_the_builds_and_not_this_stages() -> None:
    step = StepGraph(name="s", number=1)
    found = at_start(lease(environment={"DRONE_BUILD_STATUS": "failure"}), step, failed=[])
    assert found["DRONE_BUILD_STATUS"] == "failure"
    assert found["DRONE_STAGE_STATUS"] == "success"


def place(**fields: Any) -> Place:
    graph = StageGraph(name="p", type="docker", **fields)
    return Place(key="b1-s2", graph=graph, workspace=Path("/w"), owner="o", hosts=["h:1.2.3.4"])


def test_a_containers_specification_says_all_that_the_step_asks_for() -> None:
    here = place(
        volumes=(
            Volume("_workspace", "workspace"),
            Volume("t", "temp"),
            Volume("d", "device", "/dev/x"),
        ),
        workspace_base="/drone",
    )
    step = StepGraph(
        name="db",
        number=4,
        entrypoint=("e",),
        command=("c",),
        privileged=True,
        user="u",
        working_dir="/x",
        mounts=(Mount("_workspace", "/drone"), Mount("t", "/t"), Mount("gone", "/g")),
        devices=(Mount("d", "/dev/y"),),
        dns=("1.1.1.1",),
        dns_search=("s",),
        extra_hosts=("x:5.6.7.8",),
        shm_size_bytes=5,
        mem_limit_bytes=6,
        memswap_limit_bytes=7,
    )
    body = spec.container_spec(here, step, {"A": "1", "S": Secret("s")}, image="i")
    host = body["HostConfig"]
    assert (body["Image"], body["Entrypoint"], body["Cmd"]) == ("i", ["e"], ["c"])
    assert body["Env"] == ["A=1", "S=s"]
    assert (body["User"], body["WorkingDir"]) == ("u", "/x")
    assert host["Binds"] == ["/w:/drone", "fairway-b1-s2-v1:/t"]
    assert host["Devices"][0]["PathOnHost"] == "/dev/x"
    assert host["ExtraHosts"] == ["h:1.2.3.4", "x:5.6.7.8"]
    assert (host["Dns"], host["DnsSearch"], host["Privileged"]) == (["1.1.1.1"], ["s"], True)
    assert (host["ShmSize"], host["Memory"], host["MemorySwap"]) == (5, 6, 7)
    assert body["NetworkingConfig"]["EndpointsConfig"] == {"fairway-b1-s2": {"Aliases": ["db"]}}
    assert body["Labels"] == {"fairway.owner": "o", "fairway.stage": "b1-s2", "fairway.step": "4"}


def test_a_network_mode_leaves_the_stages_network() -> None:
    step = StepGraph(name="s", number=1, network_mode="host")
    body = spec.container_spec(place(), step, {}, image="i")
    assert body["HostConfig"]["NetworkMode"] == "host"
    assert "NetworkingConfig" not in body


def test_keys_that_docker_would_refuse_become_names_that_stay_distinct() -> None:
    names = {spec.stem(key) for key in ("a/b", "a-b", "a b", "ä", "x" * 300, "x" * 301)}
    assert len(names) == 6
    assert all(len(name) < 110 and name.isascii() and "/" not in name for name in names)


@pytest.mark.parametrize(
    ("image", "host", "latest"),
    [
        ("busybox", "docker.io", True),
        ("busybox:1", "docker.io", False),
        ("index.docker.io/a:latest", "docker.io", True),
        ("h:5000/a", "h:5000", True),
        ("localhost/a:2", "localhost", False),
        ("a/b@sha256:0", "docker.io", False),
    ],
)
def test_what_images_names_say(image: str, host: str, *, latest: bool) -> None:
    assert registry_host(image) == host
    assert is_latest(image) is latest


def test_the_tree_is_where_the_graph_says() -> None:
    graph = StageGraph(name="p", type="docker", workspace_base="/go", workspace_path="/go/src/x")
    assert tree(Path("/w"), graph) == Path("/w/src/x")
    assert tree(Path("/w"), StageGraph(name="p", type="docker")) == Path("/w")


async def test_a_workspace_is_not_whole_while_it_is_made_anew(tmp_path: Path) -> None:
    kept = FolderWorkspaces(tmp_path)
    folder = kept.folder("b1-s1")
    assert not await kept.whole("b1-s1")
    folder.mkdir()
    (folder / "old").touch()
    assert await kept.whole("b1-s1")
    assert await kept.rebuilding("b1-s1", by="b2-s1") == frozenset()
    assert not folder.exists()
    folder.mkdir()
    (folder / "new").touch()
    await kept.remade("b1-s1", 1)
    await kept.remade("b1-s1", 3)
    assert await kept.rebuilding("b1-s1", by="b2-s1") == {1, 3}
    assert (folder / "new").exists()
    assert not await kept.whole("b1-s1")
    assert await kept.rebuilding("b1-s1", by="b3-s1") == frozenset()
    assert not folder.exists()
    folder.mkdir()
    assert not await kept.whole("b1-s1")
    await kept.rebuilt("b1-s1")
    assert await kept.whole("b1-s1")


async def test_old_workspaces_go_unless_they_are_kept(tmp_path: Path) -> None:
    kept = FolderWorkspaces(tmp_path)
    for key in ("a", "b/c"):
        kept.folder(key).mkdir()
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (tmp_path / "link").symlink_to(outside)
    await kept.prune(["b/c"], older_s=1000.0)
    assert kept.folder("a").exists()
    await kept.prune(["b/c"], older_s=-1000.0)
    assert [path.name for path in tmp_path.iterdir()] == [kept.folder("b/c").name]
    assert (outside / "file").exists()


async def test_the_eldest_workspaces_go_until_the_rest_fits(tmp_path: Path) -> None:
    kept = FolderWorkspaces(tmp_path)
    for age, key in enumerate(("newest", "busy", "middle", "eldest")):
        folder = kept.folder(key)
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_bytes(b"x" * 100_000)
        os.utime(folder, (1e9 - age, 1e9 - age))
    one = disk_use(kept.folder("newest"))
    assert one >= 100_000
    forever = 1e12
    await kept.prune(["busy"], older_s=forever, most_bytes=3 * one)
    assert kept.folder("eldest").exists()
    (kept.folder("newest") / "more").write_bytes(b"x" * 100_000)
    await kept.prune(["busy"], older_s=forever, most_bytes=3 * one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy", "middle", "newest"]
    await kept.prune(["busy"], older_s=forever, most_bytes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["busy"]
