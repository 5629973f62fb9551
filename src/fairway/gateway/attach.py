"""Which routes are attached to which listeners, and what each route's status says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from fairway.gateway.backends import Resolver, Unresolved
from fairway.gateway.conditions import Condition, Verdict, condition, no, yes
from fairway.gateway.gateways import Gateway
from fairway.gateway.hostnames import meet
from fairway.gateway.listeners import Listening
from fairway.gateway.objects.gateway import GROUP
from fairway.gateway.objects.meta import by_age
from fairway.gateway.objects.route import ParentRef
from fairway.gateway.rules import Route
from fairway.gateway.snapshot import CONTROLLER, Ref

Labels = Mapping[str, Mapping[str, str]]  # of namespaces, by name


class Attached(NamedTuple):
    """A route at a listener, for these hostnames (an empty one is every one)."""

    route: Route
    listener: Listening
    hostnames: tuple[str, ...]


class Judged(NamedTuple):
    """What a parentRef of a route came to."""

    parent: ParentRef
    accepted: Verdict
    attached: tuple[Attached, ...] = ()


class Attachments:
    """Routes are attached oldest first: a GRPCRoute and an HTTPRoute for one hostname of a
    listener exclude each other, and the older one stays."""

    def __init__(self, gateways: Iterable[Gateway], labels: Labels, refused: Mapping[Ref, str]):
        self._gateways = {each.ref: each for each in gateways}
        self._labels = labels
        self._refused = refused
        self._claims: dict[tuple[Ref, str], list[tuple[str, str]]] = {}
        self.judged: dict[Ref, list[Judged]] = {}
        self.attached: list[Attached] = []

    def add_all(self, routes: Iterable[Route]) -> None:
        """Judges every parentRef of every route that names a Gateway of ours."""
        for route in sorted(routes, key=lambda each: (by_age(each.meta), each.ref.kind)):
            for parent in route.parents:
                gateway = self._gateways.get(self._target(route, parent))
                if gateway is None or (parent.group, parent.kind) != (GROUP, "Gateway"):
                    continue
                found = self._judge(route, parent, gateway)
                self.judged.setdefault(route.ref, []).append(found)
                self.attached += found.attached

    def counts(self) -> Mapping[tuple[Ref, str], int]:
        """How many accepted routes each listener has."""
        pairs = {
            (each.listener.gateway, each.listener.name, each.route.ref) for each in self.attached
        }
        found: dict[tuple[Ref, str], int] = {}
        for gateway, name, _ in pairs:
            found[gateway, name] = found.get((gateway, name), 0) + 1
        return found

    @staticmethod
    def _target(route: Route, parent: ParentRef) -> Ref:
        return Ref("Gateway", parent.namespace or route.ref.namespace, parent.name)

    def _judge(self, route: Route, parent: ParentRef, gateway: Gateway) -> Judged:
        if broken := self._broken(route):
            return Judged(parent, broken)
        named = [
            each
            for each in gateway.listeners
            if parent.section_name in ("", each.name) and parent.port in (0, each.port)
        ]
        if not named:
            which = parent.section_name or f"port {parent.port}"
            return Judged(parent, no("NoMatchingParent", f"{gateway.ref} has no listener {which}"))
        allowed = [each for each in named if self._allowed(route, gateway, each)]
        if not allowed:
            why = f"no listener of {gateway.ref} allows routes of this kind from this namespace"
            return Judged(parent, no("NotAllowedByListeners", why))
        met = [(each, names) for each in allowed if (names := _common(route, each))]
        if not met:
            why = f"no listener of {gateway.ref} has a hostname of {', '.join(route.hostnames)}"
            return Judged(parent, no("NoMatchingListenerHostname", why))
        free = [
            Attached(route, each, names) for each, names in met if self._claim(route, each, names)
        ]
        if not free:
            why = "a route of the other kind (HTTPRoute, GRPCRoute) has these hostnames already"
            return Judged(parent, no("HostnameConflict", why))
        return Judged(parent, yes("Accepted", "the route is attached"), tuple(free))

    def _broken(self, route: Route) -> Verdict | None:
        if route.ref in self._refused:
            return no("UnsupportedValue", f"Envoy refused it: {self._refused[route.ref]}")
        if route.dropped and not route.rules:
            return no(route.dropped[0].reason, _reasons(route))
        return None  # rules that are answered with an error are attached as well

    def _allowed(self, route: Route, gateway: Gateway, listener: Listening) -> bool:
        if route.ref.kind not in listener.kinds:
            return False
        namespaces = listener.spec.allowed_routes.namespaces
        match namespaces.source:
            case "All":
                return True
            case "Same":
                return route.ref.namespace == gateway.ref.namespace
            case "Selector" if namespaces.selector is not None:
                labels = self._labels.get(route.ref.namespace, {})
                return namespaces.selector.admits(labels)
            case _:
                return False

    def _claim(self, route: Route, listener: Listening, names: tuple[str, ...]) -> bool:
        claims = self._claims.setdefault((listener.gateway, listener.name), [])
        for kind, held in claims:
            if kind != route.ref.kind and any(meet(held, each) is not None for each in names):
                return False
        claims += [(route.ref.kind, each) for each in names]
        return True


def _common(route: Route, listener: Listening) -> tuple[str, ...]:
    wanted = route.hostnames or ("",)
    met = [meet(listener.hostname, each) for each in wanted]
    return tuple(dict.fromkeys(each for each in met if each is not None))


def route_status(route: Route, judged: Iterable[Judged], resolver: Resolver) -> dict[str, Any]:
    """The `parents` of ours of a route's status."""
    refs = _resolved(route, resolver)
    parents = []
    for each in judged:
        conditions = _conditions(route, each, refs)
        ref = msgspec.to_builtins(each.parent)
        plain = {key: value for key, value in ref.items() if value or key == "group"}
        parents.append({"parentRef": plain, "controllerName": CONTROLLER, "conditions": conditions})
    return {"parents": parents}


def _conditions(route: Route, judged: Judged, refs: Verdict) -> list[Condition]:
    generation = route.meta.generation
    accepted = judged.accepted
    if accepted.holds and not route.whole:
        accepted = no(route.dropped[0].reason, _reasons(route))
    found = [condition("Accepted", accepted, generation)]
    found.append(condition("ResolvedRefs", refs, generation))
    if accepted.holds and route.dropped:
        partly = yes("UnsupportedValue", f"Dropped Rule(s): {_reasons(route)}")
        found.append(condition("PartiallyInvalid", partly, generation))
    return found


def _reasons(route: Route) -> str:
    return "; ".join(f"rule {each.rule}: {each.message}" for each in route.dropped)


def _resolved(route: Route, resolver: Resolver) -> Verdict:
    wrong: list[Unresolved] = []
    for rule in route.rules:
        refs = [(share.ref, False) for share in rule.shares]
        refs += [(mirror.backend_ref, True) for mirror in rule.filters.mirrors]
        answers = [resolver.resolve(route.ref, ref, mirror=mirror) for ref, mirror in refs]
        wrong += [each for each in answers if isinstance(each, Unresolved)]
    if not wrong:
        return yes("ResolvedRefs", "all that it refers to is there")
    return no(wrong[0].reason, "; ".join(dict.fromkeys(each.message for each in wrong)))


def services_of(route: Route) -> set[tuple[str, str]]:
    """The Services that a route leads to: namespaces and names."""
    refs = [share.ref for rule in route.rules for share in rule.shares]
    refs += [mirror.backend_ref for rule in route.rules for mirror in rule.filters.mirrors]
    plain = [each for each in refs if each.kind == "Service"]
    return {(each.namespace or route.ref.namespace, each.name) for each in plain}
