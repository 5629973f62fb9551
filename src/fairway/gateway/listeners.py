"""One listener of a Gateway: what it asks for, whether that can be served, and its status."""

from __future__ import annotations

import base64
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from fairway.gateway.certificates import Pair, authority_problem, pair_of
from fairway.gateway.conditions import Verdict, condition, no, yes
from fairway.gateway.grants import From, Grants, To
from fairway.gateway.objects.gateway import (
    GROUP,
    CaRef,
    GatewaySpec,
    Listener,
    SecretRef,
    Validation,
)
from fairway.gateway.objects.meta import head, part
from fairway.gateway.objects.values import is_hostname
from fairway.gateway.snapshot import Ref, World

KINDS: Final = ("HTTPRoute", "GRPCRoute")
_PROTOCOLS: Final = ("HTTP", "HTTPS")


class Client(Struct, frozen=True):
    """What is asked of clients: authorities in PEM, and whether others are let in as well."""

    authorities: str
    optional: bool


class Listening(Struct, frozen=True):
    """A listener and what was found out about it."""

    gateway: Ref
    spec: Listener
    kinds: tuple[str, ...] = KINDS
    accepted: Verdict = yes("Accepted", "it can be served")
    resolved: Verdict = yes("ResolvedRefs", "all that it refers to is there")
    conflict: Verdict | None = None
    overlaps: tuple[str, ...] = ()
    secrets: tuple[tuple[Ref, Pair], ...] = ()
    client: Client | None = None

    @property
    def name(self) -> str:
        """Its name within its Gateway."""
        return self.spec.name

    @property
    def port(self) -> int:
        """Its port."""
        return self.spec.port

    @property
    def protocol(self) -> str:
        """HTTP or HTTPS where it is accepted."""
        return self.spec.protocol

    @property
    def hostname(self) -> str:
        """Its hostname; empty takes all that no other listener has."""
        return self.spec.hostname

    @property
    def sound(self) -> bool:
        """Whether it is accepted and in nobody's way."""
        return self.accepted.holds and self.conflict is None

    @property
    def usable(self) -> bool:
        """Whether Envoy gets it: HTTPS needs at least one certificate that can be used."""
        return self.sound and (self.protocol != "HTTPS" or bool(self.secrets))

    def status(self, generation: int, attached: int) -> dict[str, Any]:
        """Its status within the Gateway's."""
        ready = yes("Programmed", "Envoy serves it")
        broken = no("Invalid", "it cannot be served: see the other conditions")
        accepted = self.accepted
        if self.conflict is not None:
            accepted = no(self.conflict.reason, self.conflict.message)
        none = no("NoConflicts", "it is distinct")
        verdicts = {
            "Accepted": accepted,
            "Programmed": ready if self.usable else broken,
            "ResolvedRefs": self.resolved,
            "Conflicted": self.conflict or none,
        }
        if self.overlaps:
            why = f"its hostname overlaps with that of {', '.join(self.overlaps)}"
            verdicts["OverlappingTLSConfig"] = yes("OverlappingHostnames", why)
        return {
            "name": self.name,
            "supportedKinds": [{"group": GROUP, "kind": kind} for kind in self.kinds],
            "attachedRoutes": attached,
            "conditions": [condition(kind, each, generation) for kind, each in verdicts.items()],
        }


class Secrets:
    """Secrets and ConfigMaps by name, and who may refer to them."""

    def __init__(self, world: World, grants: Grants) -> None:
        self._found = {
            head(obj, kind)[0]: obj for kind in ("Secret", "ConfigMap") for obj in world.of(kind)
        }
        self._grants = grants

    def pair(self, gateway: Ref, ref: SecretRef) -> tuple[Ref, Pair] | Verdict:
        """A certificate and its key, or why not (a verdict for ResolvedRefs)."""
        namespace = ref.namespace or gateway.namespace
        if (ref.group, ref.kind) not in {("", "Secret"), ("core", "Secret")}:
            why = f"certificates of kind {ref.group}/{ref.kind} are not supported"
            return no("InvalidCertificateRef", why)
        source = From(GROUP, "Gateway", gateway.namespace)
        if not self._grants.allow(source, To("", "Secret", namespace, ref.name)):
            why = f"no ReferenceGrant in {namespace} allows {gateway} to use Secret {ref.name}"
            return no("RefNotPermitted", why)
        return self.plain(Ref("Secret", namespace, ref.name))

    def plain(self, ref: Ref) -> tuple[Ref, Pair] | Verdict:
        """The same without asking for a grant: for references within a namespace."""
        obj = self._found.get(ref)
        if obj is None:
            return no("InvalidCertificateRef", f"{ref} does not exist")
        found = pair_of(obj)
        if isinstance(found, str):
            return no("InvalidCertificateRef", f"{ref}: {found}")
        return ref, found

    def authorities(self, gateway: Ref, ref: CaRef) -> str | Verdict:
        """A bundle of authorities in PEM, or why not (a verdict for ResolvedRefs)."""
        namespace = ref.namespace or gateway.namespace
        if (ref.group, ref.kind) not in {("", "ConfigMap"), ("", "Secret")}:
            why = f"authorities of kind {ref.group}/{ref.kind} are not supported"
            return no("InvalidCACertificateKind", why)
        source = From(GROUP, "Gateway", gateway.namespace)
        if not self._grants.allow(source, To("", ref.kind, namespace, ref.name)):
            why = f"no ReferenceGrant in {namespace} allows {gateway} to use {ref.kind} {ref.name}"
            return no("RefNotPermitted", why)
        where = Ref(ref.kind, namespace, ref.name)
        try:
            text = _text(ref.kind, part(self._found[where], "data")["ca.crt"])
        except KeyError:
            return no("InvalidCACertificateRef", f"{where} with a key ca.crt does not exist")
        problem = authority_problem(text)
        return no("InvalidCACertificateRef", f"{where}: {problem}") if problem else text


def _text(kind: str, value: str) -> str:
    try:
        return str(value) if kind == "ConfigMap" else base64.b64decode(value).decode()
    except (ValueError, TypeError):
        return ""


def listening(gateway: Ref, spec: GatewaySpec, listener: Listener, secrets: Secrets) -> Listening:
    """What a listener is worth by itself; conflicts with others are judged later."""
    if listener.protocol not in _PROTOCOLS:
        why = f"protocol {listener.protocol} is not supported, only HTTP and HTTPS"
        return Listening(gateway, listener, (), no("UnsupportedProtocol", why))
    if not 0 < listener.port < 65536:
        why = f"{listener.port} is not a port"
        return Listening(gateway, listener, (), no("PortUnavailable", why))
    if listener.hostname and not is_hostname(listener.hostname):
        why = f"hostname {listener.hostname!r} cannot be one"
        return Listening(gateway, listener, (), no("UnsupportedValue", why))
    kinds, resolved = _kinds(listener)
    found = Listening(gateway, listener, kinds, resolved=resolved)
    return _secured(found, spec, secrets) if listener.protocol == "HTTPS" else found


def _kinds(listener: Listener) -> tuple[tuple[str, ...], Verdict]:
    asked = listener.allowed_routes.kinds
    fine = yes("ResolvedRefs", "all that it refers to is there")
    if not asked:
        return KINDS, fine
    known = tuple(each.kind for each in asked if each.group == GROUP and each.kind in KINDS)
    wrong = [f"{e.group}/{e.kind}" for e in asked if e.group != GROUP or e.kind not in KINDS]
    if wrong:
        return known, no("InvalidRouteKinds", f"not supported: {', '.join(wrong)}")
    return known, fine


def _secured(found: Listening, spec: GatewaySpec, secrets: Secrets) -> Listening:
    tls = found.spec.tls
    if tls is None or tls.mode != "Terminate":
        mode = tls.mode if tls else "none"
        return replace(found, accepted=no("UnsupportedValue", f"TLS mode {mode} is not supported"))
    if not tls.certificate_refs:
        return replace(found, resolved=no("InvalidCertificateRef", "it names no certificate"))
    answers = [secrets.pair(found.gateway, ref) for ref in tls.certificate_refs]
    pairs = tuple(each for each in answers if not isinstance(each, Verdict))
    wrong = [each for each in answers if isinstance(each, Verdict)]
    secured = replace(found, secrets=pairs, resolved=wrong[0] if wrong else found.resolved)
    validation = spec.tls.frontend.on(found.port)
    return _validated(secured, validation, secrets) if validation else secured


def _validated(found: Listening, validation: Validation, secrets: Secrets) -> Listening:
    answers = [secrets.authorities(found.gateway, ref) for ref in validation.ca_certificate_refs]
    texts = [each for each in answers if isinstance(each, str)]
    wrong = [each for each in answers if isinstance(each, Verdict)]
    resolved = wrong[0] if wrong else found.resolved
    if not texts:
        why = "none of the authorities for clients' certificates can be used"
        return replace(found, resolved=resolved, accepted=no("NoValidCACertificate", why))
    optional = validation.mode == "AllowInsecureFallback"
    return replace(found, resolved=resolved, client=Client("\n".join(texts), optional))
