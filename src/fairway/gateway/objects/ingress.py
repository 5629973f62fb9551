"""Ingress and IngressClass: networking.k8s.io/v1."""

from __future__ import annotations

from msgspec import Struct


class PortRef(Struct, frozen=True):
    """A Service's port, by number or by name."""

    number: int = 0
    name: str = ""


class ServiceRef(Struct, frozen=True):
    """A Service in the Ingress's namespace."""

    name: str
    port: PortRef = PortRef()


class IngressBackend(Struct, frozen=True):
    """Where requests go: to a Service, or to something that we do not know."""

    service: ServiceRef | None = None


class IngressPath(Struct, rename="camel", frozen=True):
    """Exact, Prefix or ImplementationSpecific."""

    path_type: str
    backend: IngressBackend
    path: str = "/"


class IngressHttp(Struct, frozen=True):
    """The paths of a host."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(Struct, frozen=True):
    """A host; none is every host."""

    host: str = ""
    http: IngressHttp = IngressHttp()


class IngressTls(Struct, rename="camel", frozen=True):
    """A certificate for some hosts; none are all that no other certificate has."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Struct, rename="camel", frozen=True):
    """An Ingress's spec."""

    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class IngressClassSpec(Struct, frozen=True):
    """An IngressClass's spec."""

    controller: str = ""
