"""BackendTLSPolicies: which Services are spoken to with TLS, and whom the gateway believes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from fairway.gateway.conditions import Verdict, condition, no, yes
from fairway.gateway.listeners import Secrets
from fairway.gateway.objects.backend_tls import AltName, BackendTlsSpec
from fairway.gateway.objects.gateway import GROUP, CaRef
from fairway.gateway.objects.meta import Meta, by_age, head, read
from fairway.gateway.objects.values import is_hostname
from fairway.gateway.snapshot import CONTROLLER, Ref, World

_FINE: Final = yes("Accepted", "it is obeyed")
_THERE: Final = yes("ResolvedRefs", "all that it refers to is there")

Service = tuple[str, str]  # namespace, name


class Policy(Struct, frozen=True):
    """A policy and what was found out about it. `authorities` is PEM, or the path of the system's
    where `system` says so."""

    ref: Ref
    meta: Meta
    spec: BackendTlsSpec | None = None
    accepted: Verdict = _FINE
    resolved: Verdict = _THERE
    authorities: str = ""
    system: bool = False

    @property
    def services(self) -> tuple[Service, ...]:
        """The Services that it is for."""
        targets = self.spec.target_refs if self.spec else ()
        known = [each for each in targets if (each.group, each.kind) == ("", "Service")]
        return tuple((self.ref.namespace, each.name) for each in known)


class Policies:
    """All policies by the Service, and the port's name, that they are for."""

    def __init__(self, world: World, secrets: Secrets) -> None:
        self._held: dict[tuple[Service, str], Policy] = {}
        self.all: list[Policy] = []
        read_ = [_read(obj, secrets, world) for obj in world.of("BackendTLSPolicy")]
        for policy in sorted(read_, key=lambda each: by_age(each.meta)):
            self.all.append(self._taken(policy))

    def _taken(self, policy: Policy) -> Policy:
        """Of two policies for one target the older one holds."""
        for target in policy.spec.target_refs if policy.spec else ():
            if (target.group, target.kind) != ("", "Service"):
                continue
            key = ((policy.ref.namespace, target.name), target.section_name)
            older = self._held.setdefault(key, policy)
            if older is not policy:
                why = f"{older.ref} is for Service {target.name} already"
                return replace(policy, accepted=no("Conflicted", why))
        return policy

    def of(self, service: Service, port: str) -> Policy | None:
        """The policy for a port of a Service: one for the port goes before one for all ports."""
        return self._held.get((service, port)) or self._held.get((service, ""))


def _read(obj: Mapping[str, Any], secrets: Secrets, world: World) -> Policy:
    ref, meta = head(obj, "BackendTLSPolicy")
    try:
        spec = read(obj.get("spec", {}), BackendTlsSpec)
    except ValidationError as error:
        return Policy(ref, meta, accepted=no("Invalid", f"spec: {error}"))
    policy = Policy(ref, meta, spec)
    if ref in world.refused:
        return replace(policy, accepted=no("Invalid", f"Envoy refused it: {world.refused[ref]}"))
    if wrong := _wrong(spec):
        return replace(policy, accepted=no("Invalid", wrong))
    if spec.validation.authorities:
        return _with_authorities(policy, spec, secrets)
    return replace(policy, authorities=world.place.system_authorities, system=True)


def _wrong(spec: BackendTlsSpec) -> str:
    validation = spec.validation
    if not is_hostname(validation.hostname) or validation.hostname.startswith("*"):
        return f"hostname {validation.hostname!r} is not a precise hostname"
    if bool(validation.authorities) == bool(validation.well_known):
        return "either caCertificateRefs or wellKnownCACertificates must be given"
    if validation.well_known not in ("", "System"):
        return f"wellKnownCACertificates {validation.well_known!r} is not known"
    bad = [each for each in validation.names if not _is_name(each)]
    return f"subjectAltNames: {bad[0].type} {bad[0].hostname}{bad[0].uri}" if bad else ""


def _is_name(name: AltName) -> bool:
    if name.type == "Hostname":
        return is_hostname(name.hostname)
    return name.type == "URI" and ":" in name.uri


def _with_authorities(policy: Policy, spec: BackendTlsSpec, secrets: Secrets) -> Policy:
    refs = spec.validation.authorities
    answers = [secrets.authorities(policy.ref, CaRef(e.name, e.group, e.kind)) for e in refs]
    texts = [each for each in answers if isinstance(each, str)]
    wrong = [each for each in answers if isinstance(each, Verdict)]
    resolved = _THERE
    if wrong:
        kind = wrong[0].reason == "InvalidCACertificateKind"
        resolved = no("InvalidKind" if kind else wrong[0].reason, wrong[0].message)
    if not texts:
        why = "none of its authorities can be used"
        return replace(policy, resolved=resolved, accepted=no("NoValidCACertificate", why))
    return replace(policy, resolved=resolved, authorities="\n".join(texts))


def policy_status(policy: Policy, gateways: Iterable[Ref]) -> dict[str, Any]:
    """The `ancestors` of ours: the Gateways whose routes lead to its Services."""
    generation = policy.meta.generation
    verdicts = {"Accepted": policy.accepted, "ResolvedRefs": policy.resolved}
    return {
        "ancestors": [
            {
                "ancestorRef": {
                    "group": GROUP,
                    "kind": "Gateway",
                    "namespace": gateway.namespace,
                    "name": gateway.name,
                },
                "controllerName": CONTROLLER,
                "conditions": [condition(kind, v, generation) for kind, v in verdicts.items()],
            }
            for gateway in sorted(gateways)
        ][:16]
    }
