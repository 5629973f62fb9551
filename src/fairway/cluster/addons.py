"""What every embedded cluster has besides its components: the DNS Service and a few rights."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fairway.cluster.plan import ClusterPlan
from fairway.cluster.probes import Http
from fairway.model.errors import Unavailable

_MANAGER: Final = "fairway-cluster"
_LABELS: Final = {"app.kubernetes.io/managed-by": "fairway"}
Object = dict[str, Any]


def objects(plan: ClusterPlan) -> list[tuple[str, Object]]:
    """Each object with the path at which it is applied."""
    return [
        _dns_service(plan),
        _dns_endpoints(plan),
        _role("system:coredns", _READS_NAMES),
        _binding("system:coredns", "system:coredns"),
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


def _dns_service(plan: ClusterPlan) -> tuple[str, Object]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    spec = {"clusterIP": plan.dns, "ports": ports}
    labels = {**_LABELS, "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
    return (
        "/api/v1/namespaces/kube-system/services/kube-dns",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "spec": spec,
        },
    )


def _dns_endpoints(plan: ClusterPlan) -> tuple[str, Object]:
    """CoreDNS runs beside the kubelet, not in a pod: its address is the node's."""
    labels = {
        **_LABELS,
        "kubernetes.io/service-name": "kube-dns",
        "endpointslice.kubernetes.io/managed-by": "fairway",
    }
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return (
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [plan.node], "conditions": {"ready": True}}],
            "ports": ports,
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


def _binding(role: str, user: str) -> tuple[str, Object]:
    group = "rbac.authorization.k8s.io"
    return (
        f"/apis/{group}/v1/clusterrolebindings/{role}",
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role, "labels": _LABELS},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


async def apply(api: Http, plan: ClusterPlan) -> None:
    """Apply all of them, whoever changed them meanwhile. Raises Unavailable; may be retried."""
    for path, thing in objects(plan):
        answer = await api.request(
            "PATCH",
            f"{plan.api}{path}",
            params={"fieldManager": _MANAGER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=msgspec.json.encode(thing),
        )
        if not answer.is_success:
            raise Unavailable(f"{path}: {answer.status_code} {answer.text[:300]}")
