"""What a reference to a backend leads to: a cluster of Envoy's, or a reason why to none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import ValidationError

from fairway.gateway.backend_tls import Policies
from fairway.gateway.grants import From, Grants, To
from fairway.gateway.objects.gateway import GROUP
from fairway.gateway.objects.meta import head, read
from fairway.gateway.objects.route import BackendObject
from fairway.gateway.objects.service import (
    SERVICE_LABEL,
    Backend,
    ServicePort,
    ServiceSpec,
    Slice,
    backends,
)
from fairway.gateway.snapshot import ClusterName, Ref, Use, World

H2: Final = frozenset({"kubernetes.io/h2c", "h2c", "grpc"})
_TLS: Final = frozenset({"kubernetes.io/wss", "https", "tls", "wss", "ssl"})
_GRPC_REFUSES: Final = frozenset({"kubernetes.io/ws", "kubernetes.io/wss", "ws", "wss", "http"})


class Unresolved(NamedTuple):
    """Why a reference leads nowhere: the reason of ResolvedRefs, and a sentence."""

    reason: str
    message: str


class Services:
    """All Services and their endpoints. One that cannot be read is as if it were not there."""

    def __init__(self, world: World) -> None:
        self._specs: dict[tuple[str, str], ServiceSpec] = {}
        for obj in world.of("Service"):
            ref, _ = head(obj, "Service")
            try:
                self._specs[ref.namespace, ref.name] = read(obj.get("spec", {}), ServiceSpec)
            except ValidationError:
                continue
        self._slices: dict[tuple[str, str], list[Slice]] = {}
        self._found: dict[tuple[str, str, int], tuple[Backend, ...]] = {}
        for obj in world.of("EndpointSlice"):
            self._take(obj)

    def _take(self, obj: Mapping[str, object]) -> None:
        ref, meta = head(obj, "EndpointSlice")
        service = (meta.labels or {}).get(SERVICE_LABEL)
        if not service or meta.deletion_timestamp:
            return
        try:
            found = read(obj, Slice)
        except ValidationError:
            return
        self._slices.setdefault((ref.namespace, service), []).append(found)

    def spec(self, namespace: str, name: str) -> ServiceSpec | None:
        """A Service's spec."""
        return self._specs.get((namespace, name))

    def port(self, cluster: ClusterName) -> ServicePort | None:
        """The port that a cluster stands for."""
        spec = self.spec(cluster.namespace, cluster.service)
        return spec.find(cluster.port) if spec else None

    def endpoints(self, cluster: ClusterName) -> tuple[Backend, ...]:
        """The endpoints of a cluster; none when the Service or its port is gone."""
        key = (cluster.namespace, cluster.service, cluster.port)
        if key not in self._found:
            port = self.port(cluster)
            slices = self._slices.get(key[:2], [])
            self._found[key] = backends(slices, port) if port else ()
        return self._found[key]


class Resolver:
    """References of routes to Services, with the grants that allow them."""

    def __init__(self, services: Services, grants: Grants, policies: Policies) -> None:
        self.services = services
        self._grants = grants
        self.policies = policies

    def resolve(self, route: Ref, to: BackendObject, *, mirror: bool) -> ClusterName | Unresolved:
        """The cluster of a reference. A mirror has a cluster of its own, so that copies are not
        counted among what users asked."""
        namespace = to.namespace or route.namespace
        if refused := self._refused(route, to, namespace):
            return refused
        spec = self.services.spec(namespace, to.name)
        if spec is None:
            return Unresolved("BackendNotFound", f"Service {namespace}/{to.name} does not exist")
        port = spec.find(to.port)
        if port is None:
            why = f"Service {namespace}/{to.name} has no TCP port {to.port}"
            return Unresolved("BackendNotFound", why)
        grpc = route.kind == "GRPCRoute"
        if wrong := self._unspoken(route, namespace, to.name, port):
            return Unresolved("UnsupportedProtocol", wrong)
        return ClusterName(_use(grpc, mirror), namespace, to.name, to.port, spec.version)

    def _unspoken(self, route: Ref, namespace: str, name: str, port: ServicePort) -> str:
        """Why a port cannot be spoken to, or an empty text."""
        what = f"port {port.port} of Service {namespace}/{name}"
        spoken = port.app_protocol.lower()
        policy = self.policies.of((namespace, name), port.name)
        if policy is not None and not policy.accepted.holds:
            return f"{what}: {policy.ref} cannot be obeyed: {policy.accepted.message}"
        if policy is None and spoken in _TLS:
            return f"{what} speaks {spoken}, which needs a BackendTLSPolicy"
        if route.kind == "GRPCRoute" and spoken in _GRPC_REFUSES:
            return f"{what} speaks {spoken}, which no GRPCRoute can use"
        return ""

    def _refused(self, route: Ref, to: BackendObject, namespace: str) -> Unresolved | None:
        if (to.group, to.kind) not in {("", "Service"), ("core", "Service")}:
            kind = f"{to.group}/{to.kind}".lstrip("/")
            return Unresolved("InvalidKind", f"backends of kind {kind} are not supported")
        source = From(_group(route.kind), route.kind, route.namespace)
        if not self._grants.allow(source, To("", "Service", namespace, to.name)):
            return Unresolved(
                "RefNotPermitted",
                f"no ReferenceGrant in {namespace} allows {route} to use Service {to.name}",
            )
        spec = self.services.spec(namespace, to.name)
        if spec is not None and spec.type == "ExternalName":
            why = f"Service {namespace}/{to.name} is an ExternalName, which is not supported"
            return Unresolved("InvalidKind", why)
        return None


def _use(grpc: bool, mirror: bool) -> Use:  # noqa: FBT001 - the two halves of a name
    if grpc:
        return "gmirror" if mirror else "grpc"
    return "mirror" if mirror else "http"


def _group(kind: str) -> str:
    return "networking.k8s.io" if kind == "Ingress" else GROUP
