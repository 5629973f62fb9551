"""What goes into the gateway's decision and what comes out of it. No I/O on either side.

`compose.compose(world)` is a function of the observed objects alone: the same objects give the same
resources, addresses and statuses on every process and after every restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

Object = Mapping[str, Any]  # a Kubernetes object as the API server sends it
Resource = dict[str, Any]  # an Envoy v3 resource, ready for JSON

CONTROLLER: Final = "fairway.dev/gateway-controller"
INGRESS_CONTROLLER: Final = "fairway.dev/ingress-controller"
CLASS: Final = "fairway"  # of the GatewayClass and the IngressClass that an installation makes

# Kinds that compose() reads. Where one is not installed in a cluster, leave it out.
GATEWAY_KINDS: Final = (
    "GatewayClass",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "ReferenceGrant",
    "BackendTLSPolicy",
)
CORE_KINDS: Final = ("Service", "EndpointSlice", "Secret", "ConfigMap", "Namespace")
INGRESS_KINDS: Final = ("Ingress", "IngressClass")
KINDS: Final = (*GATEWAY_KINDS, *CORE_KINDS, *INGRESS_KINDS)

ResourceKind = Literal["listeners", "routes", "clusters", "endpoints", "secrets"]
TYPES: Final[Mapping[ResourceKind, str]] = {
    "listeners": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "secrets": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
}
# How Envoy subscribes: `listeners` and `clusters` are one file each, the others one per resource.
FILES: Final[Mapping[ResourceKind, str]] = {
    "listeners": "lds.json",
    "routes": "rds/{name}.json",
    "clusters": "cds.json",
    "endpoints": "eds/{name}.json",
    "secrets": "sds/{name}.json",
}


class Ref(NamedTuple):
    """Which object: `namespace` is empty for those that have none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


class Place(Struct, frozen=True):
    """Where traffic comes in: what differs between the embedded cluster and any other one.

    With `addresses` each Gateway and each Service of type LoadBalancer has an address of its own
    from that range, and Envoy binds the ports as the listeners say (the whole range must lead to
    Envoy's machine: one local route). Without it Envoy binds `binds`, all Gateways share those
    addresses, and Services of type LoadBalancer are refused.
    """

    folder: str  # where the files of `FILES` are, absolute, as Envoy sees them
    addresses: str = ""  # a network in CIDR form, such as 10.111.0.0/24
    binds: tuple[str, ...] = ("0.0.0.0",)  # noqa: S104 - without a range every address is meant
    published: tuple[str, ...] = ()  # what statuses show when there is no range
    own: str = ""  # the installation's own Gateway, namespace/name: it serves Ingress objects
    own_binds: tuple[str, ...] = ()  # further addresses of that Gateway, such as 127.0.0.1
    http_port: int = 8080  # where Ingress objects are served on `own_binds`
    https_port: int = 8443  # see http_port
    system_authorities: str = "/etc/ssl/certs/ca-certificates.crt"  # for TLS to backends
    access_log: str = ""  # a file for sampled access logs; empty is none
    access_log_percent: float = 1.0


class World(Struct, frozen=True):
    """Everything that was observed. `refused` are objects whose configuration Envoy has rejected:
    they are left out, and their statuses say so with the text given here."""

    place: Place
    objects: Mapping[str, Sequence[Object]]  # by kind
    refused: Mapping[Ref, str] = {}
    assigned: Mapping[Ref, tuple[str, ...]] = {}  # `Composed.addresses` of the time before

    def of(self, kind: str) -> Sequence[Object]:
        """The observed objects of a kind."""
        return self.objects.get(kind, ())


class Snapshot(Struct, frozen=True):
    """What Envoy has to have. Every resource by its name; each EDS and SDS resource is one file."""

    listeners: Mapping[str, Resource] = {}
    routes: Mapping[str, Resource] = {}
    clusters: Mapping[str, Resource] = {}
    endpoints: Mapping[str, Resource] = {}  # by cluster name
    secrets: Mapping[str, Resource] = {}

    def of(self, kind: ResourceKind) -> Mapping[str, Resource]:
        """The resources of a kind by name."""
        found: Mapping[str, Resource] = getattr(self, kind)
        return found


class Warned(NamedTuple):
    """Something a person should hear as an event on the object; nothing was refused for it."""

    ref: Ref
    reason: str  # CamelCase, as events have it
    message: str


class Composed(Struct, frozen=True):
    """What must be so.

    `statuses` hold the status of each object that is ours to judge, as it must be once Envoy has
    confirmed the snapshot. Conditions have no `lastTransitionTime`: whoever writes them keeps the
    one in place unless `status` changes. A route's `parents` are only ours: those of other
    controllers stay.

    `origin` says which objects a resource came from, by `"<kind>/<name>"` (`"routes/fw-80"`): those
    to suspect when Envoy refuses it. `addresses` are those of Gateways and Services: hand them to
    the next `World` as `assigned`, so that nobody's address moves before its status is written.
    """

    snapshot: Snapshot
    statuses: Mapping[Ref, Mapping[str, Any]]
    warnings: tuple[Warned, ...] = ()
    origin: Mapping[str, frozenset[Ref]] = {}
    addresses: Mapping[Ref, tuple[str, ...]] = {}


def file_of(kind: ResourceKind, name: str = "") -> str:
    """The file of a resource, relative to `Place.folder`."""
    return FILES[kind].format(name=name)


def version_of(resources: Mapping[str, Resource]) -> str:
    """A short name for exactly this content, for `version_info`."""
    content = msgspec.json.encode(resources, order="deterministic")
    return hashlib.sha256(content).hexdigest()[:16]


Use = Literal["http", "grpc", "mirror", "gmirror", "tcp"]


class ClusterName(NamedTuple):
    """A name that statistics can be read by: what for, which Service, which version.

    Names of Kubernetes hold neither underscores nor, where they are ours to choose, dots, so the
    text is a file name, a statistics name without further dots, and can be taken apart again.
    """

    use: Use
    namespace: str
    service: str
    port: int
    version: str = ""  # the pod-template hash that the Service selects

    def __str__(self) -> str:
        version = self.version or "-"
        return f"{self.use}_{self.namespace}_{self.service}_{self.port}_{version}"

    @classmethod
    def parse(cls, text: str) -> ClusterName | None:
        """The parts of a cluster's name, or None for a cluster that is no Service's."""
        match text.split("_"):
            case [
                "http" | "grpc" | "mirror" | "gmirror" | "tcp" as use,
                ns,
                service,
                port,
                version,
            ]:
                known: Use = use
                return cls(known, ns, service, int(port), "" if version == "-" else version)
            case _:
                return None
