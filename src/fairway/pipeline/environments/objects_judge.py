"""Which Kubernetes objects an environment may have. Pure.

An environment is one namespace, which goes with the stage: what lies outside of it would stay, and
is refused for everybody. What reaches past the pods onto the node is for trusted repositories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.pipeline.environments.judge import TRUST, Refusal

Json = Mapping[str, Any]

_CORE: Final = (
    "ConfigMap",
    "Secret",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "Pod",
    "ReplicationController",
    "LimitRange",
    "ResourceQuota",
    "Endpoints",
)
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "": _CORE,
    "apps": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "batch": ("Job", "CronJob"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "policy": ("PodDisruptionBudget",),
    "networking.k8s.io": ("NetworkPolicy",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
}
"""Kinds that anybody may have in a namespace of their own."""
_CLUSTERED: Final = frozenset(
    """
    Namespace Node PersistentVolume StorageClass ClusterRole ClusterRoleBinding IngressClass
    CustomResourceDefinition APIService PriorityClass RuntimeClass GatewayClass CSIDriver
    MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy
    ValidatingAdmissionPolicyBinding CertificateSigningRequest
    """.split()  # noqa: SIM905 a table of words
)
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_PAST_THE_POD: Final = (
    "hostNetwork", "hostPID", "hostIPC", "nodeName", "runtimeClassName", "priorityClassName"
)  # fmt: skip
_SAFE_VOLUMES: Final = frozenset(
    ("configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim",
     "ephemeral")
)  # fmt: skip


class Found(Struct, frozen=True):
    """An object and where it stands: `web.yaml: Deployment web`."""

    where: str
    obj: Json


def judge(objects: list[Found], *, trusted: bool) -> list[Refusal]:
    """Everything that is refused."""
    found: list[Refusal] = []
    for one in objects:
        found += [Refusal(f"{one.where}: {path}", why) for path, why in _one(one.obj, trusted)]
    return found


def _one(obj: Json, trusted: bool) -> Iterator[tuple[str, str]]:  # noqa: FBT001 a pure helper
    kind = str(obj.get("kind") or "")
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    if (obj.get("metadata") or {}).get("namespace"):
        yield "metadata.namespace", "an environment has a namespace of its own: leave it out"
    if kind in _CLUSTERED:
        yield "kind", f"a {kind} belongs to the whole cluster and would outlive the environment"
        return
    if trusted:
        return
    if kind not in _GROUPS.get(group, ()):
        yield "kind", f"objects of kind {kind} ({obj.get('apiVersion')}) are {TRUST}"
        return
    if kind == "Service":
        yield from _service(obj.get("spec") or {})
    if kind == "RoleBinding" and (obj.get("roleRef") or {}).get("kind") == "ClusterRole":
        yield "roleRef.kind", f"rights of the whole cluster are {TRUST}"
    path = template_path(kind, obj)
    if path is not None:
        spec = dig(obj, path).get("spec") or {}
        yield from _pod(".".join([*path, "spec"]), spec)


def template_path(kind: str, obj: Json) -> tuple[str, ...] | None:
    """Where an object has its pod's template; None where it makes no pods."""
    if kind in _TEMPLATES:
        return _TEMPLATES[kind]
    return (
        ("spec", "template")
        if isinstance(dig(obj, ("spec", "template")), dict) and dig(obj, ("spec", "template"))
        else None
    )


def dig(obj: Json, path: tuple[str, ...]) -> Any:
    """The value at a path; {} where there is none."""
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if value is not None else {}


def _service(spec: Json) -> Iterator[tuple[str, str]]:
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        yield "spec.type", f"a Service of type {spec['type']} opens ports of the machine: {TRUST}"
    if spec.get("externalIPs"):
        yield "spec.externalIPs", f"addresses of others are {TRUST}"


def _pod(path: str, spec: Json) -> Iterator[tuple[str, str]]:
    for key in _PAST_THE_POD:
        if spec.get(key):
            yield f"{path}.{key}", f"`{key}` is {TRUST}"
    yield from _volumes(f"{path}.volumes", spec.get("volumes") or [])
    yield from _security(f"{path}.securityContext", spec.get("securityContext") or {})
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for place, container in enumerate(spec.get(group) or []):
            yield from _container(f"{path}.{group}[{place}]", container)


def _volumes(path: str, volumes: list[Json]) -> Iterator[tuple[str, str]]:
    for place, volume in enumerate(volumes):
        for kind in volume:
            if kind != "name" and kind not in _SAFE_VOLUMES:
                yield f"{path}[{place}].{kind}", f"a volume of kind {kind} is {TRUST}"


def _container(path: str, container: Json) -> Iterator[tuple[str, str]]:
    for place, port in enumerate(container.get("ports") or []):
        if port.get("hostPort"):
            yield f"{path}.ports[{place}].hostPort", f"ports of the machine are {TRUST}"
    if container.get("volumeDevices"):
        yield f"{path}.volumeDevices", f"devices are {TRUST}"
    yield from _security(f"{path}.securityContext", container.get("securityContext") or {})


def _security(path: str, context: Json) -> Iterator[tuple[str, str]]:
    if context.get("privileged"):
        yield f"{path}.privileged", f"`privileged` is {TRUST}"
    if (context.get("capabilities") or {}).get("add"):
        yield f"{path}.capabilities.add", f"further capabilities are {TRUST}"
    if context.get("procMount") not in (None, "Default"):
        yield f"{path}.procMount", f"`procMount` is {TRUST}"
    if context.get("sysctls"):
        yield f"{path}.sysctls", f"`sysctls` are {TRUST}"
    for key in ("seccompProfile", "appArmorProfile"):
        if (context.get(key) or {}).get("type") == "Unconfined":
            yield f"{path}.{key}.type", f"`Unconfined` is {TRUST}"
