"""BackendTLSPolicy: Gateway API v1."""

from __future__ import annotations

from msgspec import Struct


class Target(Struct, rename="camel", frozen=True):
    """A Service, or one of its ports by name."""

    name: str
    kind: str = "Service"
    group: str = ""
    section_name: str = ""


class AuthorityRef(Struct, frozen=True):
    """An object of the same namespace that holds certificates of authorities."""

    name: str
    kind: str = "ConfigMap"
    group: str = ""


class AltName(Struct, frozen=True):
    """A name that a backend's certificate may hold: Hostname or URI."""

    type: str
    hostname: str = ""
    uri: str = ""


class BackendValidation(
    Struct,
    frozen=True,
    rename={
        "authorities": "caCertificateRefs",
        "well_known": "wellKnownCACertificates",
        "names": "subjectAltNames",
    },
):
    """Whose certificates backends must show, and for which names."""

    hostname: str
    authorities: tuple[AuthorityRef, ...] = ()
    well_known: str = ""
    names: tuple[AltName, ...] = ()


class BackendTlsSpec(Struct, rename="camel", frozen=True):
    """A BackendTLSPolicy's spec."""

    validation: BackendValidation
    target_refs: tuple[Target, ...] = ()
