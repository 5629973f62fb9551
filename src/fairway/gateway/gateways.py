"""Our Gateways and their listeners: which can be served, and what their conditions say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from fairway.gateway.addresses import Granted
from fairway.gateway.conditions import Verdict, condition, no, yes
from fairway.gateway.hostnames import covers
from fairway.gateway.listeners import Listening, Secrets, listening
from fairway.gateway.objects.gateway import ClassSpec, GatewaySpec
from fairway.gateway.objects.meta import Meta, by_age, head, part, read
from fairway.gateway.snapshot import CONTROLLER, Ref, Warned, World

_ACCEPTED: Final = yes("Accepted", "Fairway serves it")


class Gateway(Struct, frozen=True):
    """A Gateway of a class of ours. `accepted` without listeners' own troubles."""

    ref: Ref
    meta: Meta
    spec: GatewaySpec = GatewaySpec()
    accepted: Verdict = _ACCEPTED
    listeners: tuple[Listening, ...] = ()
    addresses: tuple[str, ...] = ()
    unusable: Mapping[str, str] = {}

    @property
    def served(self) -> tuple[Listening, ...]:
        """The listeners that Envoy gets."""
        return tuple(each for each in self.listeners if each.usable) if self.accepted.holds else ()


def classes(world: World) -> Mapping[str, Verdict]:
    """The GatewayClasses that name our controller, and whether we take them."""
    found: dict[str, Verdict] = {}
    for obj in world.of("GatewayClass"):
        ref, _ = head(obj, "GatewayClass")
        try:
            spec = read(obj.get("spec", {}), ClassSpec)
        except ValidationError:
            continue
        if spec.controller_name == CONTROLLER:
            wrong = "parametersRef is not supported: Fairway has no parameters of a class"
            found[ref.name] = no("InvalidParameters", wrong) if spec.parameters_ref else _ACCEPTED
    return found


def read_gateways(world: World, secrets: Secrets) -> list[Gateway]:
    """Our Gateways, oldest first, with their listeners judged but no addresses yet."""
    known = classes(world)
    found = []
    for obj in world.of("Gateway"):
        ref, meta = head(obj, "Gateway")
        if meta.deletion_timestamp or str(part(obj, "spec").get("gatewayClassName")) not in known:
            continue
        try:
            spec = read(obj.get("spec", {}), GatewaySpec)
        except ValidationError as error:
            found.append(Gateway(ref, meta, accepted=no("Invalid", f"spec: {error}")))
            continue
        accepted = _accepted(world, ref, spec, known[spec.gateway_class_name])
        listeners = tuple(listening(ref, spec, each, secrets) for each in spec.listeners)
        found.append(Gateway(ref, meta, spec, accepted, listeners))
    return _without_conflicts(sorted(found, key=lambda each: by_age(each.meta)), world)


def _accepted(world: World, ref: Ref, spec: GatewaySpec, of_class: Verdict) -> Verdict:
    if not of_class.holds:
        return no("InvalidParameters", f"its class is not accepted: {of_class.message}")
    if spec.infrastructure.parameters_ref:
        return no("InvalidParameters", "infrastructure.parametersRef is not supported")
    for address in spec.addresses:
        if address.type != "IPAddress":
            why = f"addresses of type {address.type} are not supported, only IPAddress"
            return no("UnsupportedAddress", why)
    if ref in world.refused:
        return no("Invalid", f"Envoy refused it: {world.refused[ref]}")
    return _ACCEPTED


def _without_conflicts(gateways: list[Gateway], world: World) -> list[Gateway]:
    """Listeners that cannot be told apart are not served. Within a Gateway none of them wins; where
    Gateways share their addresses, the older Gateway does."""
    older: list[Listening] = []
    judged = []
    for gateway in gateways:
        sane = [each for each in gateway.listeners if each.accepted.holds]
        before = [] if world.place.addresses else older
        listeners = tuple(_judge(each, sane, before) for each in gateway.listeners)
        listeners = tuple(_overlapping(each, listeners) for each in listeners)
        judged.append(replace(gateway, listeners=listeners))
        older.extend(each for each in listeners if each.usable)
    return judged


def _judge(one: Listening, mine: Iterable[Listening], older: Iterable[Listening]) -> Listening:
    if not one.accepted.holds:
        return one
    mine, older = list(mine), list(older)
    there = [each for each in (*mine, *older) if each.port == one.port]
    if any(each.protocol != one.protocol for each in there):
        why = f"port {one.port} is asked for with different protocols"
        return replace(one, conflict=yes("ProtocolConflict", why))
    same = Counter(each.hostname for each in there)
    already = one.hostname in {each.hostname for each in older if each.port == one.port}
    if same[one.hostname] > 1 or already:
        what = f"hostname {one.hostname}" if one.hostname else "no hostname"
        why = f"another listener on port {one.port} has {what} as well"
        return replace(one, conflict=yes("HostnameConflict", why))
    return one


def _overlapping(one: Listening, all_: Iterable[Listening]) -> Listening:
    if one.protocol != "HTTPS":
        return one
    others = [each for each in all_ if each.name != one.name and each.port == one.port]
    names = [
        each.name
        for each in others
        if covers(each.hostname, one.hostname) or covers(one.hostname, each.hostname)
    ]
    return replace(one, overlaps=tuple(names))


def with_addresses(gateways: Iterable[Gateway], world: World, granted: Granted) -> list[Gateway]:
    """The Gateways with what they were given."""
    place = world.place
    if not place.addresses:
        return [_shared(each, place.published) for each in gateways]
    return [
        replace(
            each,
            addresses=granted.addresses.get(each.ref, ()),
            unusable=granted.unusable.get(each.ref, {}),
        )
        for each in gateways
    ]


def _shared(gateway: Gateway, published: tuple[str, ...]) -> Gateway:
    asked = [each.value for each in gateway.spec.addresses if each.value]
    wrong = {each: "is none of the shared addresses" for each in asked if each not in published}
    return replace(gateway, addresses=published, unusable=wrong)


def gateway_warnings(gateway: Gateway) -> list[Warned]:
    """What a Gateway asks for that has no effect here."""
    spec = gateway.spec
    asked = {
        "tls.backend": bool(spec.tls.backend),
        "defaultScope": spec.default_scope not in ("", "None"),
        "allowedListeners": bool(spec.allowed_listeners),
        "infrastructure.labels": bool(spec.infrastructure.labels),
        "infrastructure.annotations": bool(spec.infrastructure.annotations),
        "listeners[].tls.options": any(each.tls and each.tls.options for each in spec.listeners),
    }
    named = ", ".join(name for name, there in asked.items() if there)
    why = f"these fields are not supported and have no effect: {named}"
    return [Warned(gateway.ref, "UnsupportedField", why)] if named else []


def gateway_status(gateway: Gateway, attached: Mapping[tuple[Ref, str], int]) -> dict[str, Any]:
    """A Gateway's status. `attached` counts the accepted routes by Gateway and listener."""
    generation = gateway.meta.generation
    verdicts = {"Accepted": _overall(gateway), "Programmed": _programmed(gateway)}
    if lax := [each.name for each in gateway.listeners if each.client and each.client.optional]:
        why = f"these listeners let clients in without a valid certificate: {', '.join(lax)}"
        verdicts["InsecureFrontendValidationMode"] = yes("ConfigurationChanged", why)
    return {
        "addresses": [{"type": "IPAddress", "value": each} for each in gateway.addresses],
        "conditions": [condition(kind, each, generation) for kind, each in verdicts.items()],
        "listeners": [
            listener.status(generation, attached.get((gateway.ref, listener.name), 0))
            for listener in gateway.listeners
        ],
    }


def _overall(gateway: Gateway) -> Verdict:
    if not gateway.accepted.holds:
        return gateway.accepted
    bad = [each.name for each in gateway.listeners if not each.sound]
    if not bad:
        return gateway.accepted
    why = f"these listeners are not accepted: {', '.join(bad)}"
    left = len(bad) < len(gateway.listeners)
    return yes("ListenersNotValid", why) if left else no("ListenersNotValid", why)


def _programmed(gateway: Gateway) -> Verdict:
    if not gateway.accepted.holds:
        return no("Invalid", "it is not accepted")
    if gateway.unusable:
        why = "; ".join(f"{address} {reason}" for address, reason in gateway.unusable.items())
        return no("AddressNotUsable", why)
    if not gateway.addresses:
        return no("AddressNotAssigned", "no address is left in the range for Gateways")
    if not gateway.served:
        return no("Invalid", "none of its listeners can be served")
    return yes("Programmed", "Envoy serves it")
