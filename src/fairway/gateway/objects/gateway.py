"""GatewayClass, Gateway and its listeners: Gateway API v1, as its Go types define them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from fairway.gateway.objects.meta import Selector

GROUP: Final = "gateway.networking.k8s.io"


class ClassSpec(Struct, rename="camel", frozen=True):
    """A GatewayClass's spec."""

    controller_name: str = ""
    parameters_ref: Mapping[str, object] | None = None


class SecretRef(Struct, frozen=True):
    """A reference to an object that holds certificates."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str = ""


class ListenerTls(Struct, rename="camel", frozen=True):
    """How a listener ends TLS."""

    mode: str = "Terminate"
    certificate_refs: tuple[SecretRef, ...] = ()
    options: Mapping[str, str] = {}


class RouteKind(Struct, frozen=True):
    """A kind of routes that a listener takes."""

    kind: str
    group: str = GROUP


class RouteNamespaces(Struct, frozen=True, rename={"source": "from"}):
    """Whose routes a listener takes: Same, All or Selector."""

    source: str = "Same"
    selector: Selector | None = None


class AllowedRoutes(Struct, frozen=True):
    """Which routes a listener takes."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteKind, ...] = ()


class Listener(Struct, rename="camel", frozen=True):
    """A port of a Gateway, for one hostname or for all that no other listener has."""

    name: str
    port: int
    protocol: str
    hostname: str = ""
    tls: ListenerTls | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class Address(Struct, frozen=True):
    """An address that a Gateway asks for; without a value any one will do."""

    type: str = "IPAddress"
    value: str = ""


class Infrastructure(Struct, rename="camel", frozen=True):
    """What a Gateway asks of what carries it."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    parameters_ref: Mapping[str, object] | None = None


class CaRef(Struct, frozen=True):
    """A reference to certificates of authorities."""

    name: str
    group: str = ""
    kind: str = "ConfigMap"
    namespace: str = ""


class Validation(Struct, rename="camel", frozen=True):
    """Whose certificates a client must show."""

    ca_certificate_refs: tuple[CaRef, ...] = ()
    mode: str = "AllowValidOnly"


class Frontend(Struct, frozen=True):
    """What is asked of clients on a port."""

    validation: Validation | None = None


class FrontendPort(Struct, frozen=True):
    """What is asked of clients on one port instead of the default."""

    port: int
    tls: Frontend = Frontend()


class FrontendTls(Struct, rename="camel", frozen=True):
    """What is asked of clients."""

    default: Frontend = Frontend()
    per_port: tuple[FrontendPort, ...] = ()

    def on(self, port: int) -> Validation | None:
        """What holds on a port."""
        for each in self.per_port:
            if each.port == port:
                return each.tls.validation
        return self.default.validation


class GatewayTls(Struct, frozen=True):
    """TLS of a whole Gateway, towards clients and towards backends."""

    frontend: FrontendTls = FrontendTls()
    backend: Mapping[str, object] | None = None


class GatewaySpec(Struct, rename="camel", frozen=True):
    """A Gateway's spec."""

    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[Address, ...] = ()
    infrastructure: Infrastructure = Infrastructure()
    tls: GatewayTls = GatewayTls()
    default_scope: str = ""
    allowed_listeners: Mapping[str, object] | None = None


class GrantFrom(Struct, frozen=True):
    """Who may refer."""

    group: str
    kind: str
    namespace: str


class GrantTo(Struct, frozen=True):
    """What may be referred to; without a name every object of the kind."""

    group: str
    kind: str
    name: str = ""


class GrantSpec(Struct, frozen=True, rename={"sources": "from", "targets": "to"}):
    """A ReferenceGrant's spec."""

    sources: tuple[GrantFrom, ...] = ()
    targets: tuple[GrantTo, ...] = ()
