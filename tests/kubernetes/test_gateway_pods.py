"""`deploy/gateway.yaml`: the role `gateway` as pods of our image, in a cluster without our host."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator

import ownimage
import pytest
from town import Town, eventually, web

from fairway.cluster.layout import layout

PODS = "pods"
SYSTEM = "fairway-system"


@pytest.fixture(scope="module")
def name(cluster: Town) -> Iterator[str]:
    """A further cluster, for which no Envoy of this machine works, with our image on its node."""
    made = ownimage.archive()
    cluster.ok("cluster", "create", PODS)
    try:
        cluster.wait_ready(PODS)
        socket = layout(cluster.data, PODS).socket
        words = ["ctr", "-a", str(socket), "-n", "k8s.io", "images", "import", str(made)]
        subprocess.run(words, check=True, capture_output=True)
        cluster.load_busybox(PODS)
        yield ownimage.name_of(made)
    finally:
        cluster.ok("cluster", "delete", PODS, "--yes")


def asked(host: str, site: str, port: int = 80) -> tuple[int, str]:
    """What a site answers at an address."""
    link = http.client.HTTPConnection(host, port, timeout=20)
    try:
        link.request("GET", "/", headers={"Host": site})
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


def conditions(parent: dict[str, object]) -> dict[str, str]:
    found = parent["conditions"]
    assert isinstance(found, list)
    return {one["type"]: one["status"] for one in found}


def serve(cluster: Town) -> None:
    """A web server, and a route to it that is live."""
    cluster.apply(*web("web"), cluster=PODS)
    cluster.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "parentRefs": [{"name": "fairway", "namespace": SYSTEM}],
                "hostnames": ["web.example.org"],
                "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
            },
        },
        cluster=PODS,
    )

    def live() -> bool:
        found = cluster.get("httproutes.gateway.networking.k8s.io", "web", cluster=PODS)
        [parent] = {one["controllerName"]: one for one in found["status"]["parents"]}.values()
        return conditions(parent)["fairway.dev/Live"] == "True"

    eventually(live)


def test_the_gateway_runs_as_pods_and_outlives_one_of_them(cluster: Town, name: str) -> None:
    text = (ownimage.ROOT / "deploy" / "gateway.yaml").read_text()
    assert "image: fairway:latest" in text
    text = text.replace("image: fairway:latest", f"image: {name}")
    cluster.kubectl("apply", "-f", "-", given=text, cluster=PODS)
    words = ("rollout", "status", "deployment/fairway-gateway", "-n", SYSTEM, "--timeout=240s")
    done = cluster.kubectl(*words, cluster=PODS, check=False)
    assert done.code == 0, cluster.kubectl(
        "logs", "-n", SYSTEM, "deployment/fairway-gateway", cluster=PODS, check=False
    ).all

    def programmed() -> bool:
        found = cluster.get("gateways.gateway.networking.k8s.io", "fairway", "-n", SYSTEM,
                            cluster=PODS)  # fmt: skip
        return conditions(found["status"])["Programmed"] == "True"

    eventually(programmed)
    serve(cluster)
    found = cluster.get("service", "fairway-gateway", "-n", SYSTEM, cluster=PODS)
    address = found["spec"]["clusterIP"]
    eventually(lambda: asked(address, "web.example.org")[1].startswith("web-"))
    assert asked(address, "other.example.org")[0] == 404

    pods = cluster.get("pods", "-n", SYSTEM, "-l", "app=fairway-gateway", cluster=PODS)["items"]
    assert len(pods) == 2
    for one in pods:  # each has an Envoy of its own that has the route
        ip = one["status"]["podIP"]
        eventually(lambda ip=ip: asked(ip, "web.example.org", 8080)[0] == 200)
    cluster.kubectl("delete", "pod", pods[0]["metadata"]["name"], "-n", SYSTEM, cluster=PODS)
    eventually(lambda: asked(address, "web.example.org")[0] == 200)
    done = cluster.kubectl(*words, cluster=PODS)
    eventually(lambda: asked(address, "web.example.org")[0] == 200)
