"""A cluster that another installation keeps, registered here: its nodes pull from our registry."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Iterator

import pytest
from api_ground import api_server
from ground import Ground
from town import DOCKER, Town, eventually, pod

from fairway.cluster import certificates
from fairway.cluster.certificates import Subject
from fairway.cluster.layout import layout
from fairway.cluster.setting_up import read_plan
from fairway.kit.clock import Millis
from fairway.kit.net import free_port
from fairway.native import programs
from fairway.testing.apiserver import ApiServer

NATIVE = os.environ.get("FAIRWAY_NATIVE__DIR", "")
FAR = "far"


@pytest.fixture(scope="module")
def address(cluster: Town) -> Iterator[str]:
    """Of this machine, as the nodes of a further cluster reach it; that cluster lives so long."""
    cluster.ok("cluster", "create", FAR)
    try:
        cluster.wait_ready(FAR)
        plan = read_plan(layout(cluster.data, FAR))
        assert plan is not None
        yield plan.gateway
    finally:
        cluster.ok("cluster", "delete", FAR, "--yes")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The other installation's home cluster."""
    with api_server(tmp_path_factory.mktemp("home") / "api", NATIVE) as made:
        yield made


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, address: str, home: ApiServer
) -> Iterator[Ground]:
    """Another installation, with a name by HTTPS and a certificate of an authority of its own."""
    folder = tmp_path_factory.mktemp("other")
    made = Ground(folder, DOCKER, free_port())
    now = Millis(int(time.time() * 1000))
    authority = certificates.authority("harbour master", now)
    hosts = ("127.0.0.1", "localhost", address)
    pair = certificates.issue(authority, Subject("fairway", (), hosts), now)
    files = {"ca.crt": authority.cert, "tls.crt": pair.cert, "tls.key": pair.key}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "kubeconfig").write_text(json.dumps(home.kubeconfig()))
    del made.environment["FAIRWAY_CLUSTER__EMBEDDED"]
    made.environment |= {
        "FAIRWAY_GATEWAY__ENABLED": "off",
        "FAIRWAY_NATIVE__DIR": str(programs.find(NATIVE).folder),
        "SSL_CERT_FILE": str(folder / "ca.crt"),
        "FAIRWAY_HTTP__LISTEN": json.dumps([address]),
        "FAIRWAY_HTTP__EXTERNAL_URL": f"https://{address}:{made.port}",
        "FAIRWAY_HTTP__TLS_CERT": str(folder / "tls.crt"),
        "FAIRWAY_HTTP__TLS_KEY": str(folder / "tls.key"),
    }
    made.url = f"https://127.0.0.1:{made.port}"
    made.registry = f"{address}:{made.port}"
    words = ("--data", str(made.data), "--port", str(made.port))
    try:
        done = made.run("up", *words, "--kubeconfig", str(folder / "kubeconfig"))
        assert done.code == 0, done.all
        config = json.loads((made.home / ".config/fairway/config").read_text())
        made.token = config["contexts"][config["current"]]["token"]
        yield made
    finally:
        made.run("down", "--purge", "--yes", "--data", str(made.data))


@pytest.fixture(scope="module")
def digest(ground: Ground) -> str:
    """Of a private image in the other installation's registry."""
    ground.ok("repo", "create", "harbour/app")
    local = f"127.0.0.1:{ground.port}"  # to which an Engine asks for no authority
    login = ["docker", "login", "-u", "admin", "--password-stdin", local]
    assert ground.program(*login, cwd=ground.folder, given=ground.token).code == 0
    text = "FROM busybox:latest\nLABEL org.opencontainers.image.title=foreign\n"
    build = ["docker", "build", "-q", "-t", f"{local}/harbour/app:one", "-"]
    done = ground.program(*build, cwd=ground.folder, given=text)
    assert done.code == 0, done.all
    try:
        said = ground.docker("push", f"{local}/harbour/app:one").out
    finally:
        ground.docker("rmi", f"{local}/harbour/app:one")
    return re.findall(r"digest: (sha256:[0-9a-f]{64})", said)[0]


@pytest.fixture(scope="module")
def registered(cluster: Town, ground: Ground, digest: str) -> Iterator[Ground]:
    """The other installation knows the cluster; its nodes trust the authority, as a cluster's
    operator arranges it.
    """
    registries = layout(cluster.data, FAR).registries / ground.registry
    registries.mkdir(parents=True)
    url = f"https://{ground.registry}"
    (registries / "hosts.toml").write_text(
        f'server = "{url}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
        f'ca = "{ground.folder / "ca.crt"}"\n'
    )
    whole = cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json", cluster=FAR).out
    path = ground.folder / "far.kubeconfig"
    path.write_text(whole)
    ground.ok("cluster", "add", FAR, "--kubeconfig", str(path))
    yield ground
    ground.ok("cluster", "remove", FAR, "--yes")


def test_doctor_has_a_node_of_it_reach_registry_and_api(registered: Ground) -> None:
    words = ("doctor", "--data", str(registered.data), "--port", str(registered.port), "-o", "json")

    def found() -> dict[str, str]:
        items = registered.run(*words).json()["items"]
        reach = {one["name"]: one["health"] for one in items if f"cluster {FAR} ->" in one["name"]}
        assert reach, [one for one in items if "cluster" in one["name"]]
        assert set(reach.values()) == {"ok"}, items
        return reach

    assert f"cluster {FAR} -> registry" in eventually(found)


def test_its_pods_pull_a_private_image_with_a_secret_and_none_without(
    cluster: Town, registered: Ground, digest: str
) -> None:
    token = registered.ok("token", "create", "nodes", "--scope", "registry:pull").out.strip()
    image = f"{registered.registry}/harbour/app@{digest}"
    without = pod("without", "sleep 3600", container={"image": image, "imagePullPolicy": "Always"})
    pair = base64.b64encode(f"nodes:{token}".encode()).decode()
    auths = json.dumps({"auths": {registered.registry: {"auth": pair}}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "fairway", "namespace": "default"},
        "stringData": {".dockerconfigjson": auths},
    }
    with_secret = pod("with", "sleep 3600", imagePullSecrets=[{"name": "fairway"}],
                      container={"image": image, "imagePullPolicy": "Always"})  # fmt: skip
    cluster.apply(secret, with_secret, without, cluster=FAR)

    def runs() -> bool:
        found = cluster.get("pod", "with", cluster=FAR)
        [status] = found["status"]["containerStatuses"]
        assert status["ready"], status
        return digest in status["imageID"]

    def refused() -> bool:
        [status] = cluster.get("pod", "without", cluster=FAR)["status"]["containerStatuses"]
        said = status["state"]["waiting"]
        return said["reason"] in {"ErrImagePull", "ImagePullBackOff"} and not status["imageID"]

    eventually(runs)
    eventually(refused)


def test_an_image_is_loaded_onto_its_nodes_by_a_secret_for_that_alone(
    cluster: Town, registered: Ground, digest: str
) -> None:
    done = registered.ok("image", "load", digest, "--cluster", FAR, "-o", "json").json()
    image = f"{registered.registry}/harbour/app@{digest}"
    assert [(one["loaded"], one["image"]) for one in done["items"]] == [(True, image)]
    assert cluster.get("secrets", "-n", "fairway-system", cluster=FAR)["items"] == []
    assert cluster.get("pods", "-n", "fairway-system", cluster=FAR)["items"] == []
