"""A look at a cluster: does it answer, which version, how many nodes; what we may do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.cluster.known import Client, Health, State
from fairway.kit import clock
from fairway.model.errors import FairwayError, Forbidden, Unauthenticated

_NODES: Final = "/api/v1/nodes?limit=500"
_NEEDED: Final = tuple(
    {"verb": "impersonate", "resource": resource} for resource in ("users", "groups")
)
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def look(client: Client) -> Health:
    """How a cluster is. Never raises for what it finds."""
    now = clock.now()
    try:
        version = await client.request("GET", "/version")
    except (Unauthenticated, Forbidden) as error:
        return Health(state=State.REFUSED, reason=error.message, checked=now)
    except FairwayError as error:
        return Health(state=State.UNREACHABLE, reason=error.message, checked=now)
    if not isinstance(version, dict) or "gitVersion" not in version:
        reason = "what answers there is no Kubernetes API"
        return Health(state=State.UNUSABLE, reason=reason, checked=now)
    try:
        nodes = (await client.request("GET", _NODES)).get("items") or []
    except FairwayError:
        nodes = []  # not ours to see: no reason to call the cluster unwell
    return Health(
        state=State.READY,
        reason=await _lacking(client),
        version=str(version["gitVersion"]),
        nodes=len(nodes),
        nodes_ready=sum(map(node_ready, nodes)),
        checked=now,
    )


def node_ready(node: Mapping[str, Any]) -> bool:
    """Whether a node says that it is ready."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


async def _lacking(client: Client) -> str:
    """What our credentials may not do in a cluster, of what Fairway needs there; in words."""
    try:
        missing = [one for one in _NEEDED if not await may(client, one)]
    except FairwayError:
        return ""  # it does not tell: the request itself will
    if not missing:
        return ""
    words = " and ".join(f"{one['verb']} {one['resource']}" for one in missing)
    return f"our credentials may not {words}: kubectl and helm through Fairway are refused there"


async def may(client: Client, attributes: Mapping[str, str]) -> bool:
    """Whether our credentials may do that there. Raises what the request raises."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": dict(attributes)},
    }
    answer = await client.request("POST", _REVIEWS, review)
    return bool((answer.get("status") or {}).get("allowed"))


APPLY: Final = "application/apply-patch+yaml"
_MANAGED: Final = "?fieldManager=fairway&force=true"


async def prepare(client: Client) -> None:
    """Have in a cluster what Fairway needs there: its namespace, and its admins' rights.

    Applied, so that it may be done again and again. Raises `Forbidden` where we may not.
    """
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "fairway-system"},
    }
    path = "/api/v1/namespaces/fairway-system" + _MANAGED
    await client.request("PATCH", path, namespace, content_type=APPLY)
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "fairway:admins"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "fairway:admins"}],
    }
    path = f"/apis/{group}/v1/clusterrolebindings/fairway:admins" + _MANAGED
    await client.request("PATCH", path, binding, content_type=APPLY)
