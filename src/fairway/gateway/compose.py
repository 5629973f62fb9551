"""Observed objects in, Envoy's resources and everybody's statuses out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.gateway.addresses import Granted, Wish, assign
from fairway.gateway.attach import Attachments, route_status, services_of
from fairway.gateway.backend_tls import Policies, Service, policy_status
from fairway.gateway.backends import Resolver, Services
from fairway.gateway.balancers import (
    Balancer,
    balancer_status,
    read_balancers,
    stale,
    warnings,
)
from fairway.gateway.conditions import condition
from fairway.gateway.features import FEATURES
from fairway.gateway.gateways import (
    Gateway,
    classes,
    gateway_status,
    gateway_warnings,
    read_gateways,
    with_addresses,
)
from fairway.gateway.grants import Grants
from fairway.gateway.ingress import Reader, read_ingresses
from fairway.gateway.ingress_attach import Served, ingress_status, serve
from fairway.gateway.ingress_attach import stale as stale_ingresses
from fairway.gateway.listeners import Secrets
from fairway.gateway.objects.meta import entries, head, part
from fairway.gateway.reading import read_route
from fairway.gateway.rules import Route
from fairway.gateway.snapshot import Composed, Ref, Warned, World
from fairway.gateway.translate.draft import Draft, Site
from fairway.gateway.translate.ports import file_name

ROUTES: Final = ("HTTPRoute", "GRPCRoute")


def compose(world: World) -> Composed:
    """What Envoy has to have and what each object's status must be. Never raises for what an
    object holds: a bad object gets a condition and takes nothing from the others."""
    return _Composer(world).compose()


class _Composer:
    def __init__(self, world: World) -> None:
        self._world = world
        self._grants = Grants(world.of("ReferenceGrant"))
        self._secrets = Secrets(world, self._grants)
        policies = Policies(world, self._secrets)
        self._resolver = Resolver(Services(world), self._grants, policies)
        self._statuses: dict[Ref, Mapping[str, Any]] = {}
        self._warnings: list[Warned] = []

    def compose(self) -> Composed:
        world = self._world
        gateways = read_gateways(world, self._secrets)
        balancers = read_balancers(world)
        granted = _assign(world, gateways, balancers)
        gateways = with_addresses(gateways, world, granted)
        attachments = Attachments(gateways, _labels(world), world.refused)
        routes = [read_route(obj, kind) for kind in ROUTES for obj in world.of(kind)]
        attachments.add_all(each for each in routes if not each.meta.deletion_timestamp)
        draft = Draft(world, self._resolver)
        served = self._of_ingresses(gateways)
        for site in _sites(world, gateways, served):
            draft.site(site, [*attachments.attached, *served.attached])
        for balancer in balancers:
            if balancer.ref not in world.refused:
                draft.balancer(balancer, granted.addresses.get(balancer.ref, ()))
        snapshot, origin = draft.done()
        self._of_classes()
        self._of_routes(routes, attachments)
        self._of_policies(attachments)
        self._statuses |= {
            each.ref: gateway_status(each, attachments.counts()) for each in gateways
        }
        self._warnings += [each for one in gateways for each in gateway_warnings(one)]
        self._of_balancers(balancers, granted)
        return Composed(snapshot, self._statuses, tuple(self._warnings), origin, granted.addresses)

    def _of_classes(self) -> None:
        generations = {
            head(obj, "GatewayClass")[0].name: head(obj, "GatewayClass")[1].generation
            for obj in self._world.of("GatewayClass")
        }
        for name, accepted in classes(self._world).items():
            self._statuses[Ref("GatewayClass", "", name)] = {
                "conditions": [condition("Accepted", accepted, generations[name])],
                "supportedFeatures": [{"name": feature} for feature in FEATURES],
            }

    def _of_routes(self, routes: list[Route], attachments: Attachments) -> None:
        for route in routes:
            if judged := attachments.judged.get(route.ref):
                self._statuses[route.ref] = route_status(route, judged, self._resolver)

    def _of_policies(self, attachments: Attachments) -> None:
        leading: dict[Service, set[Ref]] = {}
        for each in attachments.attached:
            for service in services_of(each.route):
                leading.setdefault(service, set()).add(each.listener.gateway)
        for policy in self._resolver.policies.all:
            gateways = {ref for name in policy.services for ref in leading.get(name, ())}
            if gateways:
                self._statuses[policy.ref] = policy_status(policy, gateways)

    def _of_ingresses(self, gateways: list[Gateway]) -> Served:
        world = self._world
        found, warned = read_ingresses(world)
        reader = Reader(found, self._resolver.services)
        own = _own(world, gateways)
        served = serve(world, own, reader.routes(), self._secrets)
        self._warnings += [*warned, *reader.warned, *served.warned]
        addresses = own.addresses if own and (own.served or served.listeners) else ()
        for each in found:
            self._statuses[each.ref] = ingress_status(addresses)
        for ref in stale_ingresses(world, {each.ref for each in found}, set(addresses)):
            self._statuses[ref] = ingress_status(())
        return served

    def _of_balancers(self, balancers: list[Balancer], granted: Granted) -> None:
        for each in balancers:
            given = granted.addresses.get(each.ref, ())
            self._statuses[each.ref] = balancer_status(each, given)
            self._warnings += warnings(each, self._world, given)
        for ref in stale(self._world):
            self._statuses[ref] = {"loadBalancer": {}}


def _assign(world: World, gateways: list[Gateway], balancers: list[Balancer]) -> Granted:
    if not world.place.addresses:
        return Granted({}, {})
    shows = {head(obj, "Gateway")[0]: _shown_by(obj) for obj in world.of("Gateway")}
    wishes = [
        Wish(each.ref, tuple(a.value for a in each.spec.addresses if a.value), shows[each.ref])
        for each in gateways
        if each.accepted.holds or each.ref in world.refused
    ]
    for each in balancers:
        fixed = (each.spec.load_balancer_ip,) if each.spec.load_balancer_ip else ()
        if each.ports:
            wishes.append(Wish(each.ref, fixed, each.shown))
    own = [each for each in wishes if world.place.own == f"{each.ref.namespace}/{each.ref.name}"]
    return assign(world.place.addresses, own + [w for w in wishes if w not in own], world.assigned)


def _shown_by(gateway: Mapping[str, Any]) -> tuple[str, ...]:
    held = entries(part(gateway, "status").get("addresses"))
    return tuple(at for each in held if isinstance(at := each.get("value"), str))


def _labels(world: World) -> dict[str, Mapping[str, str]]:
    found = (head(obj, "Namespace")[1] for obj in world.of("Namespace"))
    return {meta.name: meta.labels or {} for meta in found}


def _own(world: World, gateways: list[Gateway]) -> Gateway | None:
    named = [
        each for each in gateways if world.place.own == f"{each.ref.namespace}/{each.ref.name}"
    ]
    return named[0] if named and named[0].accepted.holds else None


def _sites(world: World, gateways: list[Gateway], served: Served) -> list[Site]:
    """With a range each Gateway has addresses of its own; without one all share them."""
    place = world.place
    own = _own(world, gateways)
    if not place.addresses:
        listeners = tuple(listener for each in gateways for listener in each.served)
        listeners += served.listeners
        return [Site("shared", listeners, {each.port: place.binds for each in listeners})]
    found = []
    for gateway in gateways:
        more = served.listeners if gateway is own else ()
        named = {each.port for each in gateway.served} | {place.http_port, place.https_port}
        binds = {each.port: gateway.addresses for each in (*gateway.served, *more)}
        if gateway is own:
            binds |= {port: (*at, *place.own_binds) for port, at in binds.items() if port in named}
        site = f"gw_{file_name(gateway.ref)}"
        found.append(Site(site, (*gateway.served, *more), binds))
    return found
