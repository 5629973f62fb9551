"""The schemas of built-in kinds, as far as they are known here, and walks along any schema.

A schema is OpenAPI's JSON as CustomResourceDefinitions carry it. What has no schema is open: any
field is taken, lists are one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.kube import kind as k
from fairway.kube.crd import Typed, schema
from fairway.kube.kind import Json, Kind

OPEN: Final[Json] = {"x-kubernetes-preserve-unknown-fields": True}
_META: Final = "metadata"


def _by(fields: Any, *keys: str) -> Typed:
    """A list whose items are known by keys."""
    more = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    return Typed([fields], more)


def _words(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, "anything")


_COUNT: Final = Typed("int32", {"minimum": 0})
_PORT: Final = {
    "containerPort": "int32",
    "name": "string",
    "hostPort": "int32",
    "hostIP": "string",
    "protocol": Typed("string", {"default": "TCP"}),
}
_CONTAINER: Final = {
    "name": "string",
    "image": "string",
    "env": _by({"name": "string", "value": "string", "valueFrom": "any"}, "name"),
    "ports": _by(_PORT, "containerPort", "protocol"),
    "volumeMounts": _by(
        {"mountPath": "string", "name": "string", **_words("readOnly", "subPath")}, "mountPath"
    ),
    **_words(
        "command", "args", "workingDir", "envFrom", "resources", "livenessProbe", "readinessProbe",
        "startupProbe", "lifecycle", "imagePullPolicy", "securityContext", "stdin", "tty",
        "restartPolicy", "resizePolicy", "terminationMessagePath", "terminationMessagePolicy",
        "volumeDevices", "stdinOnce", "restartPolicyRules",
    ),
}  # fmt: skip
_POD: Final = {
    "containers": _by(_CONTAINER, "name"),
    "initContainers": _by(_CONTAINER, "name"),
    "volumes": _by({"name": "string", "*": "anything"}, "name"),
    "imagePullSecrets": _by({"name": "string"}, "name"),
    **_words(
        "ephemeralContainers", "restartPolicy", "terminationGracePeriodSeconds", "nodeName",
        "activeDeadlineSeconds", "dnsPolicy", "nodeSelector", "serviceAccountName",
        "serviceAccount", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC",
        "shareProcessNamespace", "securityContext", "hostname", "subdomain", "affinity",
        "schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority",
        "dnsConfig", "readinessGates", "runtimeClassName", "enableServiceLinks",
        "preemptionPolicy", "overhead", "topologySpreadConstraints", "setHostnameAsFQDN", "os",
        "hostUsers", "schedulingGates", "resourceClaims", "resources",
    ),
}  # fmt: skip
_CONDITIONS: Final = _by({"type": "string", "*": "anything"}, "type")
_STATUS: Final = {"conditions": _CONDITIONS, "*": "anything"}
_TEMPLATE: Final = {"metadata": "any", "spec": _POD}
_SERVICE_PORT: Final = {
    "port": "int32",
    "name": "string",
    "protocol": Typed("string", {"default": "TCP"}),
    "targetPort": "int-or-string",
    **_words("nodePort", "appProtocol"),
}
_MAP: Final = {"*": "string"}
_KNOWN: Final[Mapping[Kind, Mapping[str, Any]]] = {
    # A definition is written whole by whoever installs it: its fields are not owned one by one.
    k.CUSTOM_RESOURCE_DEFINITION: {
        "spec": Typed("any", {"x-kubernetes-map-type": "atomic"}),
        "status": _STATUS,
    },
    k.CONFIG_MAP: {"data": _MAP, "binaryData": _MAP, "immutable": "bool"},
    k.SECRET: {"data": _MAP, "stringData": _MAP, "type": "string", "immutable": "bool"},
    k.POD: {"spec": _POD, "status": _STATUS},
    k.DEPLOYMENT: {
        "spec": {
            "replicas": Typed(_COUNT, {"default": 1}),
            "selector": "any",
            "template": _TEMPLATE,
            **_words(
                "strategy", "minReadySeconds", "revisionHistoryLimit", "paused",
                "progressDeadlineSeconds",
            ),
        },
        "status": _STATUS,
    },
    k.REPLICA_SET: {
        "spec": {
            "replicas": Typed(_COUNT, {"default": 1}),
            "selector": "any",
            "template": _TEMPLATE,
            "minReadySeconds": "int32",
        },
        "status": _STATUS,
    },
    k.SERVICE: {
        "spec": {
            "ports": _by(_SERVICE_PORT, "port", "protocol"),
            "selector": _MAP,
            **_words(
                "type", "clusterIP", "clusterIPs", "externalIPs", "sessionAffinity",
                "loadBalancerIP", "loadBalancerSourceRanges", "externalName",
                "externalTrafficPolicy", "healthCheckNodePort", "publishNotReadyAddresses",
                "sessionAffinityConfig", "ipFamilies", "ipFamilyPolicy", "loadBalancerClass",
                "allocateLoadBalancerNodePorts", "internalTrafficPolicy", "trafficDistribution",
            ),
        },
        "status": _STATUS,
    },
    k.JOB: {
        "spec": {
            "template": _TEMPLATE,
            **_words(
                "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "selector",
                "manualSelector", "ttlSecondsAfterFinished", "completionMode", "suspend",
                "podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes",
                "podReplacementPolicy", "managedBy",
            ),
        },
        "status": _STATUS,
    },
}  # fmt: skip
_PLAIN: Final = (
    k.NAMESPACE, k.NODE, k.SERVICE_ACCOUNT, k.EVENT, k.STATEFUL_SET, k.DAEMON_SET, k.INGRESS,
    k.ENDPOINT_SLICE,
)  # fmt: skip
_MORE: Final = (
    ("", "v1", "endpoints", "Endpoints", True),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True),
    ("", "v1", "resourcequotas", "ResourceQuota", True),
    ("", "v1", "limitranges", "LimitRange", True),
    ("coordination.k8s.io", "v1", "leases", "Lease", True),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", True),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", True),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False),
    (
        "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy", False,
    ),
    (
        "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding", False,
    ),
)  # fmt: skip
_SCALED: Final = frozenset((k.DEPLOYMENT, k.REPLICA_SET, k.STATEFUL_SET))
_WITH_STATUS: Final = frozenset(
    (k.POD, k.DEPLOYMENT, k.REPLICA_SET, k.STATEFUL_SET, k.DAEMON_SET, k.JOB, k.SERVICE, k.INGRESS,
     k.NAMESPACE, k.NODE, k.CUSTOM_RESOURCE_DEFINITION)
)  # fmt: skip


class Resource(Struct, frozen=True, kw_only=True):
    """A kind as the server keeps it. `brought`: by Kubernetes, not by a definition."""

    kind: Kind
    schema: Json
    status: bool = False
    scale: bool = False
    brought: bool = True


def built_in() -> dict[str, Resource]:
    """What every cluster has, by the path of its collection."""
    kinds = [*_KNOWN, *_PLAIN, *(Kind(*one[:4], namespaced=one[4]) for one in _MORE)]
    found = [
        Resource(kind=one, schema=_schema(one), status=one in _WITH_STATUS, scale=one in _SCALED)
        for one in kinds
    ]
    return {one.kind.path(): one for one in found}


def defined(definition: Mapping[str, Any]) -> list[Resource]:
    """What a CustomResourceDefinition defines: each served version."""
    spec = definition["spec"]
    names = spec["names"]
    found = []
    for version in spec.get("versions") or ():
        below = version.get("subresources") or {}
        kind = Kind(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            namespaced=spec["scope"] == "Namespaced",
        )
        given = (version.get("schema") or {}).get("openAPIV3Schema") or OPEN
        found.append(
            Resource(
                kind=kind,
                schema=_topped(given),
                status="status" in below,
                scale="scale" in below,
                brought=False,
            )
        )
    return found


def _schema(kind: Kind) -> Json:
    fields = _KNOWN.get(kind)
    return OPEN if fields is None else _topped(schema(_mixed(fields)))


def _mixed(fields: Any) -> Any:
    """The crd notation has maps or objects; an object whose other fields are open is both."""
    if isinstance(fields, Typed):
        return Typed(_mixed(fields.type), fields.more)
    if isinstance(fields, list):
        return [_mixed(fields[0])]
    if not isinstance(fields, Mapping):
        return fields
    if "*" in fields and len(fields) > 1:
        known = {name: _mixed(one) for name, one in fields.items() if name != "*"}
        return Typed(known, OPEN)
    return {name: _mixed(one) for name, one in fields.items()}


def _topped(given: Json) -> Json:
    properties = {
        **(given.get("properties") or {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        _META: OPEN,
    }
    return {**given, "properties": properties}


def child(schema: Json, name: str) -> Json | None:
    """The schema of a field; None for one that the schema does not know."""
    found: Json | None = (schema.get("properties") or {}).get(name)
    if found is not None:
        return found
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        return more
    if more or is_open(schema):
        return OPEN
    return None


def is_open(schema: Json) -> bool:
    """Whether it takes fields that it does not know."""
    return bool(schema.get("x-kubernetes-preserve-unknown-fields")) or not (
        "properties" in schema or "additionalProperties" in schema or "type" in schema
    )


def is_free(schema: Json) -> bool:
    """Whether nothing is known of what is in it."""
    known = "properties" in schema or "additionalProperties" in schema or "items" in schema
    return not known and is_open(schema)


def keys(schema: Json) -> tuple[str, ...]:
    """By what the items of a list are known; () for a list that is one value."""
    if schema.get("x-kubernetes-list-type") != "map":
        return ()
    return tuple(schema.get("x-kubernetes-list-map-keys") or ())


def is_whole(schema: Json) -> bool:
    """Whether a map is one value, owned whole."""
    return schema.get("x-kubernetes-map-type") == "atomic"


def is_set(schema: Json) -> bool:
    """Whether a list is a set of values."""
    return schema.get("x-kubernetes-list-type") == "set"


def item_key(item: Mapping[str, Any], names: tuple[str, ...], schema: Json) -> tuple[Any, ...]:
    """What tells an item of a list from others, with defaults for what is left out."""
    fields = (schema.get("items") or {}).get("properties") or {}
    return tuple((name, item.get(name, fields.get(name, {}).get("default"))) for name in names)
