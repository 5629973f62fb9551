"""Kubernetes objects of an environment: which may be, what they run, whether they are well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.model.errors import BadFile, InvalidInput
from fairway.pipeline.environments import pods
from fairway.pipeline.environments.health import State
from fairway.pipeline.environments.images import Source
from fairway.pipeline.environments.namespace import namespace_name
from fairway.pipeline.environments.object_images import chosen, placed
from fairway.pipeline.environments.objects_judge import Found, judge
from fairway.pipeline.environments.rendered import parse, read


def deployment(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    one = {"name": "web", "image": "shop/web", **(container or {})}
    template = {"spec": {"containers": [one], **spec}}
    meta = {"name": "web"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {"template": template}}  # fmt: skip


def plain(kind: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **more}


POD = "spec.template.spec"
FIRST = f"{POD}.containers[0]"
RBAC = "rbac.authorization.k8s.io/v1"
UNTRUSTED: list[tuple[str, dict[str, Any]]] = [
    (f"{POD}.hostNetwork", deployment(hostNetwork=True)),
    (f"{POD}.hostPID", deployment(hostPID=True)),
    (f"{POD}.hostIPC", deployment(hostIPC=True)),
    (f"{POD}.nodeName", deployment(nodeName="n")),
    (f"{POD}.runtimeClassName", deployment(runtimeClassName="r")),
    (f"{POD}.priorityClassName", deployment(priorityClassName="system-node-critical")),
    (f"{POD}.volumes[0].hostPath", deployment(volumes=[{"name": "a", "hostPath": {"path": "/"}}])),
    (f"{POD}.volumes[0].nfs", deployment(volumes=[{"name": "a", "nfs": {}}])),
    (f"{POD}.volumes[0].csi", deployment(volumes=[{"name": "a", "csi": {}}])),
    (f"{POD}.securityContext.sysctls", deployment(securityContext={"sysctls": [{"name": "a"}]})),
    (
        f"{POD}.securityContext.seccompProfile.type",
        deployment(securityContext={"seccompProfile": {"type": "Unconfined"}}),
    ),
    (f"{FIRST}.securityContext.privileged", deployment({"securityContext": {"privileged": True}})),
    (
        f"{FIRST}.securityContext.capabilities.add",
        deployment({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}),
    ),
    (
        f"{FIRST}.securityContext.procMount",
        deployment({"securityContext": {"procMount": "Unmasked"}}),
    ),
    (f"{FIRST}.ports[0].hostPort", deployment({"ports": [{"containerPort": 1, "hostPort": 1}]})),
    (f"{FIRST}.volumeDevices", deployment({"volumeDevices": [{"name": "a"}]})),
    (
        f"{POD}.initContainers[0].securityContext.privileged",
        deployment(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]),
    ),
    (
        "spec.jobTemplate.spec.template.spec.hostPID",
        plain(
            "CronJob",
            "batch/v1",
            spec={"jobTemplate": {"spec": {"template": {"spec": {"hostPID": True}}}}},
        ),
    ),
    ("spec.hostNetwork", plain("Pod", spec={"hostNetwork": True})),
    ("spec.type", plain("Service", spec={"type": "NodePort"})),
    ("spec.type", plain("Service", spec={"type": "LoadBalancer"})),
    ("spec.externalIPs", plain("Service", spec={"externalIPs": ["1.2.3.4"]})),
    ("roleRef.kind", plain("RoleBinding", RBAC, roleRef={"kind": "ClusterRole"})),
    ("kind", plain("HTTPRoute", "gateway.networking.k8s.io/v1")),
    ("kind", plain("Deployment", "someone.example/v1")),
]
FOR_NOBODY: list[tuple[str, dict[str, Any]]] = [
    ("kind", plain("Namespace")),
    ("kind", plain("ClusterRoleBinding", RBAC)),
    ("kind", plain("CustomResourceDefinition", "apiextensions.k8s.io/v1")),
    ("metadata.namespace", plain("Secret") | {"metadata": {"name": "a", "namespace": "other"}}),
]


@pytest.mark.parametrize(("path", "obj"), UNTRUSTED, ids=[path for path, _ in UNTRUSTED])
def test_what_reaches_past_the_namespace_is_for_trusted_repositories(
    path: str, obj: dict[str, Any]
) -> None:
    found = judge([Found("a.yaml:1: it", obj)], trusted=False)
    assert [one.path for one in found] == [f"a.yaml:1: it: {path}"]
    assert judge([Found("a", obj)], trusted=True) == []


@pytest.mark.parametrize(("path", "obj"), FOR_NOBODY, ids=[o["kind"] for _, o in FOR_NOBODY])
def test_what_would_outlive_the_environment_is_for_nobody(path: str, obj: dict[str, Any]) -> None:
    for trusted in (True, False):
        assert [one.path for one in judge([Found("a", obj)], trusted=trusted)] == [f"a: {path}"]


def test_usual_objects_may_be() -> None:
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}]
    usual = [
        deployment(volumes=volumes),
        plain("Service"),
        plain("Secret"),
        plain("Job", "batch/v1"),
        plain("RoleBinding", RBAC, roleRef={"kind": "Role"}),
    ]
    assert judge([Found("a", one) for one in usual], trusted=False) == []


def test_this_builds_image_takes_the_place_of_its_name() -> None:
    built = {"shop/web:abc": "shop/web@sha256:1"}
    found = Found("a", deployment(initContainers=[{"name": "wait", "image": "busybox:1"}]))
    choices = chosen([found], built, {})
    assert choices["shop/web"].image == "shop/web@sha256:1"
    assert choices["busybox:1"].source is Source.FETCH
    obj = placed(found, "ns", {"shop/web": "r/shop/web@sha256:1", "busybox:1": "busybox:1"})
    spec = obj["spec"]["template"]["spec"]
    assert obj["metadata"] == {"name": "web", "namespace": "ns"}
    assert spec["containers"][0]["image"] == "r/shop/web@sha256:1"
    assert spec["initContainers"][0] == {"name": "wait", "image": "busybox:1"}
    assert found.obj["metadata"] == {"name": "web"}


@pytest.mark.parametrize("name", ["web", "shop/web"])
def test_settings_name_containers_or_images(name: str) -> None:
    built = {"shop/web:abc": "shop/web@sha256:1", "shop/web:test": "shop/web@sha256:2"}
    choices = chosen([Found("a", deployment())], built, {name: "shop/web:test"})
    assert choices["shop/web"].image == "shop/web@sha256:2"


def test_settings_for_an_image_that_is_not_there_are_a_mistake() -> None:
    with pytest.raises(InvalidInput, match="wbe"):
        chosen([Found("a", deployment())], {}, {"wbe": "shop/web:abc"})


def pod(**status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "web-1"}, "status": status}


def waits(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "web", "image": "a:1", "state": state, **more}]}


def crashed(count: int, at: str) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": f"2026-01-01T10:{at}Z"}
    more = {"restartCount": count, "lastState": {"terminated": ended}}
    return {"startTime": "2026-01-01T10:00:00Z", **waits("CrashLoopBackOff", **more)}


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ({"conditions": [{"type": "Ready", "status": "True"}]}, State.READY, ""),
        ({"phase": "Succeeded"}, State.ENDED, "it ended"),
        ({"phase": "Failed", "message": "evicted"}, State.FAILED, "evicted"),
        (waits("ErrImagePull", "manifest unknown"), State.FAILED, "image a:1: ErrImagePull"),
        (waits("ErrImagePull", "i/o timeout"), State.WAITING, "ErrImagePull"),
        (waits("ImagePullBackOff", "back off"), State.FAILED, "ImagePullBackOff"),
        (waits("CreateContainerConfigError", 'secret "a"'), State.FAILED, 'secret "a"'),
        (waits("ContainerCreating"), State.WAITING, "ContainerCreating"),
        (
            waits(
                "CrashLoopBackOff",
                restartCount=3,
                lastState={"terminated": {"exitCode": 3, "reason": "Error"}},
            ),
            State.FAILED,
            "ended 3 times, the last time with 3 (Error)",
        ),
        (waits("CrashLoopBackOff", restartCount=1), State.WAITING, "CrashLoopBackOff"),
        (crashed(4, "00:15"), State.WAITING, "CrashLoopBackOff"),  # its database may be late
        (crashed(5, "00:31"), State.FAILED, "ended 5 times, the last time with 1 (Error)"),
        (crashed(2, "04:00"), State.WAITING, "CrashLoopBackOff"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
                ]
            },
            State.WAITING,
            "Insufficient cpu",
        ),
    ],
)
def test_a_pod_is_judged_by_its_status(status: dict[str, Any], state: State, why: str) -> None:
    found = pods.of_pod(pod(**status))
    assert found.state is state
    assert why in found.why


@pytest.mark.parametrize(
    ("obj", "state"),
    [
        ({"kind": "Deployment", "spec": {"replicas": 2},
          "status": {"updatedReplicas": 2, "readyReplicas": 2}}, State.READY),
        ({"kind": "Deployment", "spec": {"replicas": 2},
          "status": {"updatedReplicas": 1, "readyReplicas": 2}}, State.WAITING),
        ({"kind": "Deployment", "spec": {},  # the ready one is of before
          "status": {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1}}, State.WAITING),
        ({"kind": "Deployment", "metadata": {"name": "a", "generation": 2}, "spec": {},
          "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1}},
         State.WAITING),
        ({"kind": "Deployment", "spec": {}, "status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "message": "quota"}]}}, State.FAILED),
        ({"kind": "DaemonSet", "spec": {}, "status": {"desiredNumberScheduled": 1,
          "updatedNumberScheduled": 1, "numberReady": 1}}, State.READY),
        ({"kind": "Job", "spec": {}, "status": {"conditions": [
            {"type": "Complete", "status": "True"}]}}, State.ENDED),
        ({"kind": "Job", "spec": {}, "status": {"conditions": [
            {"type": "Failed", "status": "True", "message": "too often"}]}}, State.FAILED),
        ({"kind": "Job", "spec": {}, "status": {}}, State.WAITING),
    ],
)  # fmt: skip
def test_a_workload_is_judged_as_a_whole(obj: dict[str, Any], state: State) -> None:
    assert pods.of_workload({"metadata": {"name": "a"}, **obj}).state is state


def test_documents_know_their_file_and_line() -> None:
    text = "# first\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\n\n---\n" + (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n"
    )
    assert [one.where for one in parse(text, "a.yaml")] == [
        "a.yaml:2: Secret a",
        "a.yaml:8: Secret b",
    ]
    with pytest.raises(BadFile, match=r"a\.yaml:1: .*metadata\.name is missing"):
        parse("apiVersion: v1\nkind: Secret\n", "a.yaml")


def test_a_folders_files_are_read_and_links_out_of_it_are_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "b.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n")
    (root / "notes.txt").write_text("not an object")
    assert [one.where for one in read(root, root=root, confined=True)] == ["b.yaml:1: Secret b"]
    (tmp_path / "c.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: c}\n")
    (root / "c.yaml").symlink_to(tmp_path / "c.yaml")
    with pytest.raises(InvalidInput, match=r"c\.yaml leads out"):
        read(root, root=root, confined=True)


def test_a_namespaces_name_is_one_for_each_stage() -> None:
    names = {namespace_name("1a2b-B3/s4" * 12, 1), namespace_name("1a2b-B3/s4" * 12, 2)}
    assert len(names) == 2
    assert all(len(name) <= 63 and name.islower() and "/" not in name for name in names)
