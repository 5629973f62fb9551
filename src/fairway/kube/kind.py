"""Kinds of objects, their keys, and the paths under which the API server keeps them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import quote

from msgspec import Struct

Json = dict[str, Any]


class Key(NamedTuple):
    """One object of a kind. `namespace` is "" for kinds that have none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Kind(Struct, frozen=True, order=True):
    """A kind as the API server names it: `Kind("apps", "v1", "deployments", "Deployment")`.

    `group` is "" for the core group.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What objects have in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`: as kubectl and RBAC name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return self.kind

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Where the API server keeps it.

        Without a namespace it is all namespaces' collection; a name needs the namespace of a
        namespaced kind (`ValueError`), and a kind without namespaces leaves `namespace` out.
        """
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.kind} {name!r} needs a namespace")
        parts = ["/apis", self.group] if self.group else ["/api"]
        parts.append(self.version)
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


NAMESPACE: Final = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
NODE: Final = Kind("", "v1", "nodes", "Node", namespaced=False)
POD: Final = Kind("", "v1", "pods", "Pod")
SERVICE: Final = Kind("", "v1", "services", "Service")
SECRET: Final = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP: Final = Kind("", "v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNT: Final = Kind("", "v1", "serviceaccounts", "ServiceAccount")
EVENT: Final = Kind("", "v1", "events", "Event")
DEPLOYMENT: Final = Kind("apps", "v1", "deployments", "Deployment")
REPLICA_SET: Final = Kind("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SET: Final = Kind("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SET: Final = Kind("apps", "v1", "daemonsets", "DaemonSet")
JOB: Final = Kind("batch", "v1", "jobs", "Job")
INGRESS: Final = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
