"""Ingress objects into routes, one for each of their hosts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from fairway.gateway.backends import Services
from fairway.gateway.ingress_annotations import Canary, Policy, read_policy
from fairway.gateway.objects import ingress as api
from fairway.gateway.objects.meta import Meta, by_age, head, part, read
from fairway.gateway.objects.route import (
    BackendObject,
    PathEdit,
    PathMatch,
    Redirect,
    Rewrite,
    ValueMatch,
)
from fairway.gateway.objects.values import is_hostname, quote
from fairway.gateway.reading import check_path
from fairway.gateway.rules import Filters, Match, Route, Rule, Share, Wrong
from fairway.gateway.snapshot import INGRESS_CONTROLLER, Ref, Warned, World

_DEFAULT: Final = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS: Final = "kubernetes.io/ingress.class"
_TYPES: Final = {"Exact": "Exact", "Prefix": "PathPrefix", "ImplementationSpecific": "PathPrefix"}


class Ingress(Struct, frozen=True):
    """An Ingress of a class of ours."""

    ref: Ref
    meta: Meta
    spec: api.IngressSpec
    policy: Policy


Place = tuple[str, str, str]  # host, path, path type: where a canary meets its main Ingress


def read_ingresses(world: World) -> tuple[list[Ingress], list[Warned]]:
    """Ours, oldest first, and what their owners should hear."""
    names, default = _classes(world)
    found: list[Ingress] = []
    warned: list[Warned] = []
    for obj in world.of("Ingress"):
        ref, meta = head(obj, "Ingress")
        annotations = meta.annotations or {}
        given = part(obj, "spec").get("ingressClassName")
        chosen = given or annotations.get(_OLD_CLASS) or default
        if str(chosen) not in names or meta.deletion_timestamp:
            continue
        try:
            spec = read(obj.get("spec", {}), api.IngressSpec)
        except ValidationError as error:
            warned.append(Warned(ref, "Invalid", f"spec: {error}"))
            continue
        if ref in world.refused:
            why = f"Envoy refused it: {world.refused[ref]}"
            warned.append(Warned(ref, "Refused", why))
            continue
        policy = read_policy(annotations)
        found.append(Ingress(ref, meta, spec, policy))
        warned += _told(ref, policy)
    return sorted(found, key=lambda each: by_age(each.meta)), warned


def _classes(world: World) -> tuple[set[str], str]:
    names: set[str] = set()
    default = ""
    for obj in world.of("IngressClass"):
        ref, meta = head(obj, "IngressClass")
        if part(obj, "spec").get("controller") == INGRESS_CONTROLLER:
            names.add(ref.name)
            if (meta.annotations or {}).get(_DEFAULT) == "true":
                default = ref.name
    return names, default


def _told(ref: Ref, policy: Policy) -> Iterable[Warned]:
    for name in policy.closed:
        why = f"annotation {name} is not supported and would keep somebody out: answered with 503"
        yield Warned(ref, "UnsupportedAnnotation", why)
    if policy.unknown:
        why = f"these annotations have no effect here: {', '.join(policy.unknown)}"
        yield Warned(ref, "UnsupportedAnnotation", why)
    for why in policy.wrong:
        yield Warned(ref, "BadAnnotation", why)


class Reader:
    """Makes routes of Ingresses: first the canaries are laid beside the paths that they share."""

    def __init__(self, ingresses: Sequence[Ingress], services: Services) -> None:
        self._services = services
        self._mains = [each for each in ingresses if each.policy.canary is None]
        self.warned: list[Warned] = []
        self._canaries: dict[tuple[str, Place], tuple[Share, Canary]] = {}
        known = {
            (each.ref.namespace, place) for each in self._mains for place, _ in _places(each.spec)
        }
        for each in ingresses:
            if each.policy.canary is not None:
                self._lay(each, each.policy.canary, known)

    def _lay(self, one: Ingress, canary: Canary, known: set[tuple[str, Place]]) -> None:
        for place, backend in _places(one.spec):
            key = (one.ref.namespace, place)
            where = f"{place[0] or '*'}{place[1]}"
            if key not in known:
                why = f"no other Ingress in its namespace has {where}: a canary needs one"
                self.warned.append(Warned(one.ref, "NoMainIngress", why))
            elif key in self._canaries:
                why = f"{where} has an older canary already; this one is left out"
                self.warned.append(Warned(one.ref, "SecondCanary", why))
            else:
                share = Share(self._backend(one.ref, backend))
                self._canaries[key] = share, canary

    def routes(self) -> list[tuple[Ingress, list[Route]]]:
        """Each main Ingress with a route for each of its hosts."""
        return [(each, list(self._of(each))) for each in self._mains]

    def _of(self, one: Ingress) -> Iterable[Route]:
        hosts: dict[str, list[Rule]] = {}
        index = 0
        for place, backend in _places(one.spec):
            host = place[0]
            if host and not is_hostname(host):
                self.warned.append(Warned(one.ref, "Invalid", f"host {host!r} cannot be one"))
                continue
            try:
                match = _match(place, one.policy)
            except Wrong as wrong:
                self.warned.append(Warned(one.ref, "Invalid", wrong.message))
                continue
            canary = self._canaries.get((one.ref.namespace, place))
            rules = self._rules(one, match, backend, canary)
            for number, rule in enumerate(rules, index):
                hosts.setdefault(host, []).append(replace(rule, index=number))
            index += len(rules)
        for host, found in hosts.items():
            yield Route(one.ref, one.meta, (), (host,) if host else (), tuple(found))

    def _rules(
        self,
        one: Ingress,
        match: Match,
        backend: api.IngressBackend,
        canary: tuple[Share, Canary] | None,
    ) -> list[Rule]:
        policy = one.policy
        filters = Filters(rewrite=_rewrite(policy, match), cors=policy.cors)
        ref = self._backend(one.ref, backend)

        def rule(shares: tuple[Share, ...], *more: ValueMatch) -> Rule:
            found = Match(match.path, headers=(*match.headers, *more))
            closed = bool(policy.closed)
            return Rule(
                0, (found,), filters=filters, shares=shares, session=policy.session, broken=closed
            )

        if canary is None:
            return [rule((Share(ref),))]
        share, of = canary
        main = Share(ref)
        chosen = [rule((share if yes else main,), value) for value, yes in _choices(of)]
        split = (Share(ref, of.total - of.weight), Share(share.ref, of.weight))
        return [*chosen, rule(split)]

    def _backend(self, ref: Ref, backend: api.IngressBackend) -> BackendObject:
        service = backend.service
        if service is None:
            return BackendObject("", group="unknown", kind="resource")
        port = service.port.number
        if service.port.name:
            spec = self._services.spec(ref.namespace, service.name)
            named = [p.port for p in (spec.ports if spec else ()) if p.name == service.port.name]
            port = named[0] if named else 0
        return BackendObject(service.name, namespace=ref.namespace, port=port)


def _places(spec: api.IngressSpec) -> Iterable[tuple[Place, api.IngressBackend]]:
    for rule in spec.rules:
        for path in rule.http.paths:
            yield (rule.host, path.path or "/", path.path_type), path.backend
        if not rule.http.paths and spec.default_backend:
            yield (rule.host, "/", "Prefix"), spec.default_backend
    if spec.default_backend:
        yield ("", "/", "Prefix"), spec.default_backend


def _match(place: Place, policy: Policy) -> Match:
    host, path, kind = place
    if kind not in _TYPES:
        raise Wrong(f"path type {kind!r} is not known")
    headers: tuple[ValueMatch, ...] = ()
    if host.startswith("*."):
        # Ingress: a wildcard stands for exactly one label.
        one = f"(?i)[^.]+{quote(host[1:])}(?::[0-9]+)?"
        headers = (ValueMatch(":authority", one, "RegularExpression"),)
    if policy.regex and kind == "ImplementationSpecific":
        regex = check_path(PathMatch("RegularExpression", f"(?i){path.removeprefix('^')}.*"))
        return Match(regex, headers=headers)
    return Match(check_path(PathMatch(_TYPES[kind], path)), headers=headers)


def _rewrite(policy: Policy, match: Match) -> Rewrite | None:
    if not policy.rewrite:
        return None
    if match.path.type != "RegularExpression":
        return Rewrite(path=PathEdit("ReplaceFullPath", policy.rewrite))
    target = re.sub(r"\$(\d)", r"\\\1", policy.rewrite.replace("\\", ""))
    return Rewrite(path=PathEdit("Regex", target, match.path.value))


def _choices(canary: Canary) -> Iterable[tuple[ValueMatch, bool]]:
    """Which headers and cookies decide, in ingress-nginx's order, and whether for the canary."""
    name = canary.header
    if name and canary.value:
        yield ValueMatch(name, canary.value), True
    elif name and canary.pattern:
        yield ValueMatch(name, f".*(?:{canary.pattern}).*", "RegularExpression"), True
    elif name:
        yield ValueMatch(name, "always"), True
        yield ValueMatch(name, "never"), False
    if canary.cookie:
        for value, yes in (("always", True), ("never", False)):
            regex = rf"(?:.*;\s*)?{quote(canary.cookie)}={value}(?:\s*;.*)?"
            yield ValueMatch("cookie", regex, "RegularExpression"), yes


def redirected(route: Route, port: int) -> Route:
    """The same hosts and paths, sent to HTTPS instead (308, as ingress-nginx does)."""
    away = Filters(redirect=Redirect(scheme="https", port=port, status_code=308))
    rules = tuple(
        Rule(rule.index, rule.matches, filters=away) for rule in route.rules if not rule.broken
    )
    return Route(route.ref, route.meta, route.parents, route.hostnames, rules)
