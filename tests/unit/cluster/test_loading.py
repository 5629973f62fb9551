"""Images onto nodes: what a pod's status tells, and what is left behind."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster import loading
from fairway.model.errors import Forbidden, Unavailable
from fairway.testing.clusters import FakeCluster

pytestmark = pytest.mark.looptime

IMAGE = "127.0.0.1:8480/tide/app@sha256:abc"
PODS = "/api/v1/namespaces/fairway-system/pods"


def node(name: str, ready: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def status(**container: Any) -> dict[str, Any]:
    return {"status": {"phase": "Pending", "containerStatuses": [container]}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return status(state={"waiting": {"reason": reason, "message": message}}, imageID="")


@pytest.mark.parametrize(
    ("found", "judged"),
    [
        ({}, None),
        ({"status": {"phase": "Pending"}}, None),
        (waiting("ContainerCreating"), None),
        (waiting("ErrImagePull", "no such host"), (False, "no such host")),
        (waiting("ImagePullBackOff"), (False, "ImagePullBackOff")),
        (waiting("InvalidImageName", "bad"), (False, "bad")),
        (waiting("RunContainerError"), (True, "")),
        (waiting("CreateContainerError"), (True, "")),
        (status(state={"terminated": {"reason": "StartError"}}, imageID=""), (True, "")),
        (status(state={"running": {}}, imageID=""), (True, "")),
        (status(state={}, imageID="sha256:abc"), (True, "")),
        (
            {"status": {"phase": "Failed", "reason": "OutOfpods", "message": "too many"}},
            (False, "too many"),
        ),
        ({"status": {"phase": "Failed"}}, (False, "the node refused the pod")),
    ],
)
def test_a_pods_status_tells_whether_the_image_is_there(
    found: dict[str, Any], judged: tuple[bool, str] | None
) -> None:
    assert loading.judge(found) == judged


class Cluster(FakeCluster):
    """Each pod tells the states that its node is given, one after the other."""

    def __init__(self, **told: list[dict[str, Any]]) -> None:
        super().__init__({"GET /api/v1/nodes": {"items": [node(name) for name in told]}})
        self.told = told

    async def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = ""
    ) -> Any:
        found = await super().request(method, path, body, content_type=content_type)
        if method == "GET" and path.startswith(PODS + "/"):
            told = self.told[found["spec"]["nodeName"]]
            return told.pop(0) if len(told) > 1 else told[0]
        return found


async def test_every_node_is_told_of_and_nothing_is_left() -> None:
    cluster = Cluster(
        one=[{}, waiting("ContainerCreating"), waiting("RunContainerError")],
        two=[waiting("ErrImagePull", "denied")],
    )
    found = await loading.load(cluster, [IMAGE], pull_secret="s")
    assert [(one.node, one.loaded, one.detail) for one in found] == [
        ("one", True, ""),
        ("two", False, "denied"),
    ]
    assert cluster.kept == {}
    made = [body for method, _, body in cluster.asked if method == "POST"]
    assert {one["spec"]["nodeName"] for one in made} == {"one", "two"}
    assert all(one["spec"]["imagePullSecrets"] == [{"name": "s"}] for one in made)


async def test_a_node_that_is_not_ready_gets_no_pod() -> None:
    cluster = FakeCluster({"GET /api/v1/nodes": {"items": [node("one", "Unknown")]}})
    [found] = await loading.load(cluster, [IMAGE])
    assert (found.loaded, found.detail) == (False, "the node is not ready")


async def test_a_pull_without_an_end_is_given_up_and_cleared_away() -> None:
    cluster = Cluster(one=[waiting("ContainerCreating")])
    [found] = await loading.load(cluster, [IMAGE], timeout_s=5)
    assert (found.loaded, found.detail) == (False, "it was not pulled within 5 s")
    assert cluster.kept == {}


async def test_a_new_namespace_is_given_time_for_its_service_account() -> None:
    cluster = Cluster(one=[waiting("RunContainerError")])
    refused = Forbidden("error looking up service account fairway-system/default: serviceaccount")
    answers: list[Any] = [refused, refused]

    def create(body: Any) -> Any:
        if answers:
            raise answers.pop()
        cluster.kept[f"{PODS}/{body['metadata']['name']}"] = body
        return body

    cluster.answers[f"POST {PODS}"] = create
    [found] = await loading.load(cluster, [IMAGE])
    assert found.loaded


async def test_a_refusal_is_told_for_its_node() -> None:
    cluster = Cluster(one=[{}])
    cluster.answers[f"POST {PODS}"] = Forbidden("pods is forbidden")
    [found] = await loading.load(cluster, [IMAGE])
    assert (found.loaded, found.detail) == (False, "pods is forbidden")


async def test_a_cluster_without_nodes_is_an_error() -> None:
    with pytest.raises(Unavailable, match="no nodes yet"):
        await loading.load(FakeCluster({"GET /api/v1/nodes": {"items": []}}), [IMAGE])


def test_the_pod_fits_the_restricted_standard() -> None:
    spec = loading.pod("one", IMAGE, pull_secret="", timeout_s=60)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (spec["automountServiceAccountToken"], spec["restartPolicy"]) == (False, "Never")
