"""A cluster as its users meet it: real kubectl and helm through Fairway, images, other clusters."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_ground import api_server
from town import Town, eventually, pod

from fairway.client.wire.who import NewToken, TokenCreate
from fairway.kit.net import free_port
from fairway.testing.apiserver import ApiServer

WAITS = ("wait", "--for=condition=Ready", "--timeout=240s")


@pytest.fixture(scope="module")
def image(cluster: Town) -> str:
    """A private image in Fairway's registry: its name without tag and digest."""
    cluster.ok("repo", "create", "harbour/app")
    name = f"{cluster.registry}/harbour/app"
    cluster.docker("login", "-u", "admin", "-p", cluster.token, cluster.registry)
    # An image of its own: the kubelet remembers by an image's id how it came, and other tests use
    # the same busybox under a name that nothing may pull.
    text = "FROM busybox:latest\nLABEL org.opencontainers.image.title=harbour\n"
    words = ("docker", "build", "-q", "-t", f"{name}:one", "-")
    done = cluster.program(*words, cwd=cluster.folder, given=text)
    assert done.code == 0, done.all
    try:
        cluster.docker("push", "-q", f"{name}:one")
    finally:
        cluster.docker("rmi", f"{name}:one")
    return name


@pytest.fixture(scope="module")
def digest(cluster: Town, image: str) -> str:
    """Its digest."""
    path = "/v2/harbour/app/manifests/one"
    wanted = "application/vnd.docker.distribution.manifest.v2+json"
    done = cluster.program(
        "curl", "-sI", "-u", f"admin:{cluster.token}", "-H", f"Accept: {wanted}",
        cluster.url + path, cwd=cluster.folder,
    )  # fmt: skip
    match = re.search(r"docker-content-digest: (\S+)", done.out, re.IGNORECASE)
    assert match is not None, done.all
    return match[1]


def running(name: str, image: str, space: str) -> dict[str, Any]:
    made = pod(name, "sleep 3600", space)
    made["spec"]["containers"][0] |= {"image": image, "imagePullPolicy": "IfNotPresent"}
    return made


# ---- images --------------------------------------------------------------------------------------


def test_nobody_pulls_it_without_a_token(cluster: Town, image: str) -> None:
    words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    for host in (f"127.0.0.1:{cluster.port}", f"{cluster.plan.gateway}:{cluster.port}"):
        url = f"http://{host}/v2/harbour/app/manifests/one"
        assert cluster.program(*words, url, cwd=cluster.folder).out == "401"


def test_pods_pull_private_images_by_name_and_by_digest_without_any_configuration(
    cluster: Town, image: str, digest: str
) -> None:
    with cluster.namespace("pulls") as space:
        cluster.apply(running("by-name", f"{image}:one", space))
        cluster.apply(running("by-digest", f"{image}@{digest}", space))
        for name in ("by-name", "by-digest"):
            cluster.wait("pod", name, "condition=Ready", space)
            found = cluster.get("pod", name, "-n", space)
            assert digest in found["status"]["containerStatuses"][0]["imageID"]


def test_the_nodes_token_is_seen_by_no_pod_and_pulls_only(cluster: Town, image: str) -> None:
    folder = cluster.paths.registries / cluster.registry
    text = (folder / "hosts.toml").read_text()
    assert (folder / "hosts.toml").stat().st_mode & 0o077 == 0
    basic = re.findall(r"Basic (\S+)\"", text)[0]
    words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
             f"Authorization: Basic {basic}")  # fmt: skip
    for path, code in (
        ("/v2/harbour/app/manifests/one", "200"),
        ("/api/v1/repos/harbour/app", "404"),
        ("/api/v1/audit", "403"),
        ("/api/v1/clusters", "403"),
    ):
        assert cluster.program(*words, cluster.url + path, cwd=cluster.folder).out == code
    upload = cluster.url + "/v2/harbour/app/blobs/uploads/"
    done = cluster.program(*words, "-X", "POST", upload, cwd=cluster.folder)
    assert done.out in {"401", "403"}
    secrets = cluster.kubectl("get", "secrets", "-A", "-o", "yaml").out
    assert basic not in secrets


def test_an_image_is_on_the_nodes_before_a_pod_needs_it(
    cluster: Town, image: str, digest: str
) -> None:
    done = cluster.ok("image", "load", digest, "--cluster", cluster.name, "-o", "json").json()
    assert [(one["loaded"], one["image"]) for one in done["items"]] == [(True, f"{image}@{digest}")]
    with cluster.namespace("loaded") as space:
        made = running("never", f"{image}@{digest}", space)
        made["spec"]["containers"][0]["imagePullPolicy"] = "Never"
        cluster.apply(made)
        cluster.wait("pod", "never", "condition=Ready", space)
    assert cluster.get("pods", "-n", "fairway-system")["items"] == []


def test_loading_what_is_not_there_says_so(cluster: Town, image: str) -> None:
    for word in ("sha256:" + "0" * 64, "harbour/app:none", "harbour/none"):
        done = cluster.run("image", "load", word)
        assert done.code == 5
        assert "no-image" in done.err
    assert cluster.run("image", "load", "elsewhere.example/x:y").code == 2


# ---- kubectl and helm ----------------------------------------------------------------------------


def fk(town: Town, *words: str, given: str = "", token: str = "") -> Any:
    """`fairway kubectl WORDS`, as the admin or with a token."""
    env = {"FAIRWAY_TOKEN": token} if token else {}
    return town.run("kubectl", *words, given=given, **env)


def audited(town: Town) -> list[tuple[str, str, str]]:
    items = town.ok("get", "audit", "-n", "500", "-o", "json").json()["items"]
    return [(one["actor"], one["action"], one["subject"]) for one in items]


def test_kubectl_changes_things_as_its_user_with_an_audit_entry(cluster: Town) -> None:
    with cluster.namespace("through") as space:
        assert "fairway:admin" in fk(cluster, "auth", "whoami").out
        done = fk(cluster, "-n", space, "create", "configmap", "settings", "--from-literal=a=b")
        assert done.code == 0, done.all
        done = fk(cluster, "-n", space, "delete", "configmap", "settings")
        assert done.code == 0, done.all
        found = audited(cluster)
        subject = f"cluster/{cluster.name}/{space}/configmaps/settings"
        assert ("admin", "cluster.create", subject) in found
        assert ("admin", "cluster.delete", subject) in found
        done = fk(cluster, "-n", space, "delete", "configmap", "settings")
        assert "NotFound" in done.err
        assert ("admin", "cluster.refused", subject) in audited(cluster)


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_kubectl_reaches_into_pods_by_websocket_and_by_spdy(
    cluster: Town, tmp_path: Path, websockets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("REMOTE_COMMAND", "PORT_FORWARD"):
        monkeypatch.setitem(cluster.environment, f"KUBECTL_{what}_WEBSOCKETS", websockets)
    with cluster.namespace(f"into-{websockets}") as space:
        serve = "mkdir -p /w; echo hello > /w/index.html; httpd -f -p 8000 -h /w"
        cluster.pod("web", serve, space)
        assert fk(cluster, "-n", space, "exec", "web", "--", "echo", "a/b").out == "a/b\n"
        given = "x" * 300_000
        done = fk(cluster, "-n", space, "exec", "-i", "web", "--", "wc", "-c", given=given)
        assert done.out.strip() == "300000"
        assert fk(cluster, "-n", space, "exec", "web", "--", "sh", "-c", "exit 3").code == 3
        fetched = tmp_path / "fetched"
        done = fk(cluster, "-n", space, "cp", "web:/w/index.html", str(fetched))
        assert fetched.read_text() == "hello\n", done.all
        with forwarded(cluster, space, "web", 8000) as port:
            done = cluster.program("curl", "-s", f"127.0.0.1:{port}", cwd=cluster.folder)
            assert done.out == "hello\n"
        subject = f"cluster/{cluster.name}/{space}/pods/web"
        found = audited(cluster)
        assert ("admin", "cluster.connect", f"{subject}/exec") in found
        assert ("admin", "cluster.connect", f"{subject}/portforward") in found


@contextlib.contextmanager
def forwarded(town: Town, space: str, name: str, port: int) -> Iterator[int]:
    """`kubectl port-forward` for the block; the local port."""
    local = free_port()
    words = ["fairway", "kubectl", "-n", space, "port-forward", f"pod/{name}", f"{local}:{port}"]
    process = subprocess.Popen(words, env=town.environment, cwd=town.folder,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert b"Forwarding" in first, first
        yield local
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def test_a_watch_and_a_followed_log_come_as_they_happen(cluster: Town) -> None:
    with cluster.namespace("follows") as space:
        words = ["fairway", "kubectl", "-n", space, "get", "configmaps", "-w", "-o", "name"]
        with following(cluster, words) as watch:
            made = fk(cluster, "-n", space, "create", "configmap", "late")
            assert made.code == 0, made.all
            line = next(line for line in watch if b"late" in line)
            assert line == b"configmap/late\n"
        cluster.pod("talks", "while true; do echo tick; sleep 1; done", space)
        with following(cluster, ["fairway", "kubectl", "-n", space, "logs", "-f", "talks"]) as log:
            assert [next(log), next(log)] == [b"tick\n", b"tick\n"]


@contextlib.contextmanager
def following(town: Town, words: list[str]) -> Iterator[Iterator[bytes]]:
    process = subprocess.Popen(words, env=town.environment, cwd=town.folder, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        assert process.stdout is not None
        yield iter(process.stdout.readline, b"")
    finally:
        process.kill()
        process.communicate(timeout=120)


def test_helm_installs_through_fairway(cluster: Town, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    (chart / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-map'}\n"
    )
    with cluster.namespace("helmed") as space:
        done = cluster.run("helm", "-n", space, "install", "one", str(chart))
        assert done.code == 0, done.all
        assert "one" in cluster.ok("helm", "-n", space, "list", "-q").out
        cluster.get("configmap", "one-map", "-n", space)
        subject = f"cluster/{cluster.name}/{space}/configmaps/one-map"
        assert [entry for entry in audited(cluster) if entry[2] == subject]


def test_a_merged_kubeconfig_serves_kubectl_itself_and_keeps_what_was_there(
    cluster: Town, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    other = {"name": "mine", "cluster": {"server": "https://mine"}}
    path.write_text(yaml.safe_dump({"clusters": [other], "users": None, "current-context": "x"}))
    for _again in range(2):
        cluster.ok("kubeconfig", "--merge", "--file", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    found = yaml.safe_load(path.read_text())
    assert [one["name"] for one in found["clusters"]] == ["mine", f"fairway-{cluster.name}"]
    kubectl = (str(cluster.native.native), "kubectl", "--kubeconfig", str(path))
    done = cluster.program(*kubectl, "get", "nodes", "-o", "name", cwd=cluster.folder)
    assert done.out.strip() == f"node/{cluster.plan.node_name}", done.all


def test_a_user_may_what_the_cluster_gives_him_and_nothing_else(cluster: Town) -> None:
    cluster.ok("user", "add", "nora")
    asked = TokenCreate(name="hers", user="nora", scopes=["cluster:write"])
    made = cluster.api.post("/tokens", asked, NewToken)
    token = made.token
    with cluster.namespace("rights") as space:
        done = fk(cluster, "-n", space, "get", "pods", token=token)
        assert done.code != 0
        assert 'User "fairway:nora" cannot list resource "pods"' in done.err
        assert "only an admin" in fk(cluster, "get", "ns", "--as", "admin", token=token).err
        group = "rbac.authorization.k8s.io"
        cluster.apply(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "nora", "namespace": space},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "fairway:nora"}],
            }
        )
        done = fk(cluster, "-n", space, "create", "configmap", "hers", token=token)
        assert done.code == 0, done.all
        subject = f"cluster/{cluster.name}/{space}/configmaps/hers"
        assert ("nora", "cluster.create", subject) in audited(cluster)
        done = fk(cluster, "get", "nodes", token=token)
        assert "Forbidden" in done.err
    cluster.api.delete(f"/tokens/{made.id}")

    def ended() -> bool:
        return "does not hold" in fk(cluster, "get", "ns", token=token).err

    eventually(ended)


# ---- other clusters ------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[ApiServer]:
    """Another Kubernetes: an API server of its own."""
    with api_server(tmp_path / "elsewhere", os.environ.get("FAIRWAY_NATIVE__DIR", "")) as server:
        yield server


def shown(town: Town, name: str) -> dict[str, Any]:
    found: dict[str, Any] = town.ok("cluster", "get", name, "-o", "json").json()
    return found


def test_another_cluster_is_added_used_lost_and_removed(
    cluster: Town, elsewhere: ApiServer, tmp_path: Path
) -> None:
    path = tmp_path / "elsewhere.kubeconfig"
    path.write_text(json.dumps(elsewhere.kubeconfig()))
    cluster.ok("cluster", "add", "far", "--kubeconfig", str(path), "--label", "env=test")
    try:
        found = shown(cluster, "far")
        assert (found["state"], found["kind"], found["labels"]["env"]) == (
            "ready", "registered", "test",
        )  # fmt: skip
        assert found["version"].startswith("v1.")
        done = cluster.run("kubectl", "--cluster", "far", "create", "namespace", "over-there")
        assert done.code == 0, done.all
        assert ("admin", "cluster.create", "cluster/far/-/namespaces/over-there") in audited(
            cluster
        )
        assert "over-there" not in cluster.namespaces()
        secrets = cluster.get("secrets", "-n", "fairway-system", "-l",
                              "argocd.argoproj.io/secret-type=cluster")  # fmt: skip
        assert len(secrets["items"]) == 1
        done = cluster.run("image", "load", "harbour/app:one", "--cluster", "far")
        assert "registry-unreachable" in done.err or "no-image" in done.err

        elsewhere.kill("apiserver")

        def lost() -> bool:
            now = shown(cluster, "far")
            return now["state"] == "unreachable" and "does not answer" in now["reason"]

        eventually(lost)
        assert "far" in cluster.ok("get", "clusters").out
        assert shown(cluster, cluster.name)["state"] == "ready"
        assert "does not answer" in cluster.run("kubectl", "--cluster", "far", "get", "ns").err
    finally:
        cluster.ok("cluster", "remove", "far", "--yes")
    assert cluster.run("cluster", "get", "far").code == 5


def test_a_cluster_that_does_not_answer_is_not_added_by_mistake(
    cluster: Town, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        path = tmp_path / "nowhere.kubeconfig"
        path.write_text(nowhere(port))
        done = cluster.run("cluster", "add", "nowhere", "--kubeconfig", str(path))
        assert done.code != 0
        assert "cluster-unavailable" in done.err
        assert cluster.run("cluster", "get", "nowhere").code == 5


def nowhere(port: int) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def test_doctor_and_components_tell_of_the_cluster(cluster: Town) -> None:
    parts = cluster.components()
    assert {"apiserver", "etcd", "kubelet", "containerd"} <= set(parts)
    assert all(one["state"] == "ready" and one["since"] for name, one in parts.items() if name)
    words = ("doctor", "--data", str(cluster.data), "--port", str(cluster.port), "-o", "json")
    found = {one["name"]: one for one in cluster.run(*words).json()["items"]}
    assert found["cluster"]["health"] == "ok"
    assert found["components"]["health"] == "ok"
