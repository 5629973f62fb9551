"""Volumes of the default class, and the metrics that autoscaling reads: the node's own extras."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from town import Town, claim, eventually, pod

MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


def volumes(name: str) -> list[dict[str, Any]]:
    return [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]


@pytest.fixture
def space(cluster: Town) -> Iterator[str]:
    with cluster.namespace(f"x-{uuid.uuid4().hex[:8]}") as name:
        yield name


def test_a_claim_waits_for_its_first_pod_and_is_bound_to_that_pods_node(
    cluster: Town, space: str
) -> None:
    cluster.apply(claim("later", space))
    eventually(
        lambda: "WaitForFirstConsumer" in cluster.kubectl("describe", "pvc", "-n", space).out
    )
    assert cluster.get("pvc", "later", "-n", space)["status"]["phase"] == "Pending"
    cluster.pod("user", "exec sleep 3600", space, volumes=volumes("later"), container=MOUNT)
    name = cluster.get("pvc", "later", "-n", space)["spec"]["volumeName"]
    (term,) = cluster.get("pv", name)["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    (node,) = cluster.get("nodes")["items"]
    assert term["matchExpressions"][0]["values"] == [node["metadata"]["name"]]


def test_a_volume_belongs_to_the_group_that_its_pod_asks_for_and_any_user_may_write(
    cluster: Town, space: str
) -> None:
    cluster.apply(claim("shared", space))
    who = {"runAsUser": 1234, "runAsGroup": 1234, "fsGroup": 5678}
    cluster.pod(
        "nobody",
        "echo mine > /v/f; exec sleep 3600",
        space,
        volumes=volumes("shared"),
        container=MOUNT,
        securityContext=who,
    )
    assert cluster.sh("nobody", "cat /v/f; stat -c %g /v/f", space) == "mine\n5678\n"


def test_a_claim_that_asks_for_what_a_folder_is_not_says_so(cluster: Town, space: str) -> None:
    block = claim("disk", space)
    block["spec"]["volumeMode"] = "Block"
    cluster.apply(block)
    devices = {"volumeDevices": [{"name": "v", "devicePath": "/dev/v"}]}
    waiting = {"volumes": volumes("disk"), "container": devices}
    cluster.apply(pod("device", "exec sleep 3600", space, **waiting))
    eventually(lambda: "support block volume" in cluster.kubectl("get", "events", "-n", space).out)
    assert cluster.get("pvc", "disk", "-n", space)["status"]["phase"] == "Pending"


def test_a_class_that_retains_keeps_the_volume_when_its_claim_goes(
    cluster: Town, space: str
) -> None:
    kept = cluster.get("storageclass", "local-path")
    kept = {**kept, "metadata": {"name": f"keep-{space}"}, "reclaimPolicy": "Retain"}
    cluster.apply(kept)
    wanted = claim("data", space)
    wanted["spec"]["storageClassName"] = f"keep-{space}"
    cluster.apply(wanted)
    cluster.pod(
        "one", "echo kept > /v/f; exec sleep 3600", space, volumes=volumes("data"), container=MOUNT
    )
    name = cluster.get("pvc", "data", "-n", space)["spec"]["volumeName"]
    cluster.kubectl("delete", "pod", "one", "-n", space)
    cluster.kubectl("delete", "pvc", "data", "-n", space)
    eventually(lambda: cluster.get("pv", name)["status"]["phase"] == "Released")
    (folder,) = [path for path in cluster.paths.volumes.iterdir() if name in path.name]
    assert (folder / "f").read_text() == "kept\n"
    cluster.kubectl("delete", "pv", name)
    cluster.kubectl("delete", "storageclass", f"keep-{space}")


def test_a_deployment_grows_with_its_load_by_metrics(cluster: Town, loaded: str) -> None:
    def grown() -> bool:
        status = cluster.get("deployment", "busy", "-n", loaded)["status"]
        return bool(status.get("replicas") == 2)

    eventually(grown, 480)
