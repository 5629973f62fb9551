"""What every embedded cluster has besides its components: the DNS Service and a few rights."""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from fairway.cluster import commands
from fairway.cluster.pki import EXTRAS_USER
from fairway.cluster.plan import ClusterPlan
from fairway.cluster.probes import Http
from fairway.model.errors import Unavailable

_MANAGER: Final = "fairway-cluster"
_LABELS: Final = {"app.kubernetes.io/managed-by": "fairway"}
Object = dict[str, Any]


def objects(plan: ClusterPlan, authority: bytes | None) -> list[tuple[str, Object]]:
    """Each object with the path at which it is applied.

    `authority`: of the node's extras' certificate; None where the programs have no extras.
    """
    found = [
        *_reachable(plan, "kube-dns", plan.dns, _DNS_PORTS),
        _role("system:coredns", _READS_NAMES),
        _binding("system:coredns", "system:coredns", "system:coredns"),
    ]
    if authority is None:
        return found
    user = EXTRAS_USER
    return [
        *found,
        _role(user, _EXTRAS),
        _binding(user, user, user),
        _binding(f"{user}:delegates", "system:auth-delegator", user),
        _authentication_reader(user),
        _storage_class(),
        *_reachable(plan, "metrics-server", None, _METRICS_PORTS),
        _metrics(authority),
    ]


_DNS_PORTS: Final = [
    {"name": "dns", "port": 53, "protocol": "UDP"},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
]
_METRICS_PORTS: Final = [{"name": "https", "port": 443, "protocol": "TCP"}]
_EXTRAS: Final = [
    {
        "apiGroups": [""],
        "resources": ["persistentvolumes"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["persistentvolumeclaims", "persistentvolumeclaims/status"],
        "verbs": ["get", "list", "watch", "update", "patch"],
    },
    {
        "apiGroups": [""],
        "resources": ["nodes", "pods", "namespaces", "configmaps"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    {
        "apiGroups": ["", "events.k8s.io"],
        "resources": ["events"],
        "verbs": ["get", "list", "watch", "create", "update", "patch"],
    },
    {
        "apiGroups": ["storage.k8s.io"],
        "resources": ["storageclasses", "csinodes", "volumeattributesclasses"],
        "verbs": ["get", "list", "watch"],
    },
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "list", "watch", "create", "update", "patch"],
    },
]


_READS_NAMES: Final = [
    {
        "apiGroups": [""],
        "resources": ["endpoints", "services", "pods", "namespaces"],
        "verbs": ["list", "watch"],
    },
    {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["list", "watch"],
    },
]


def _reachable(
    plan: ClusterPlan, name: str, address: str | None, ports: list[Object]
) -> list[tuple[str, Object]]:
    """A Service of what runs beside the kubelet, not in a pod: its address is the node's."""
    spec: Object = {"ports": ports}
    if address is not None:
        spec["clusterIP"] = address
    where = {"name": name, "namespace": "kube-system"}
    labels = {**_LABELS, "k8s-app": name}
    mine = {"kubernetes.io/service-name": name, _SLICE_OWNER: "fairway"}
    inside = [
        {**port, "port": commands.NODE_PORT if port["port"] == 443 else port["port"]}
        for port in ports
    ]
    return [
        (
            f"/api/v1/namespaces/kube-system/services/{name}",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {**where, "labels": labels},
                "spec": spec,
            },
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/{name}",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**where, "labels": {**labels, **mine}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [plan.node], "conditions": {"ready": True}}],
                "ports": inside,
            },
        ),
    ]


_SLICE_OWNER: Final = "endpointslice.kubernetes.io/managed-by"


def _storage_class() -> tuple[str, Object]:
    """The default one: a folder of the node for each volume, made where the pod will run."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return (
        "/apis/storage.k8s.io/v1/storageclasses/local-path",
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "local-path", "labels": _LABELS, "annotations": default},
            "provisioner": commands.PROVISIONER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )


def _metrics(authority: bytes) -> tuple[str, Object]:
    name = "v1beta1.metrics.k8s.io"
    return (
        f"/apis/apiregistration.k8s.io/v1/apiservices/{name}",
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name, "labels": _LABELS},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "caBundle": base64.b64encode(authority).decode("ascii"),
                "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
            },
        },
    )


def _authentication_reader(user: str) -> tuple[str, Object]:
    """Who reads whom the API server vouches for when it calls an extension server."""
    group = "rbac.authorization.k8s.io"
    name = f"{user}:authentication"
    role = "extension-apiserver-authentication-reader"
    return (
        f"/apis/{group}/v1/namespaces/kube-system/rolebindings/{name}",
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "kube-system", "labels": _LABELS},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


def _role(name: str, rules: list[Object]) -> tuple[str, Object]:
    return (
        f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": _LABELS},
            "rules": rules,
        },
    )


def _binding(name: str, role: str, user: str) -> tuple[str, Object]:
    group = "rbac.authorization.k8s.io"
    return (
        f"/apis/{group}/v1/clusterrolebindings/{name}",
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": _LABELS},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


async def apply(api: Http, plan: ClusterPlan, authority: bytes | None) -> None:
    """Apply all of them, whoever changed them meanwhile. Raises Unavailable; may be retried."""
    for path, thing in objects(plan, authority):
        answer = await api.request(
            "PATCH",
            f"{plan.api}{path}",
            params={"fieldManager": _MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=msgspec.json.encode(thing),
        )
        if not answer.is_success:
            raise Unavailable(f"{path}: {answer.status_code} {answer.text[:300]}")
