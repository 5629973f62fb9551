"""Where Ingress objects are served: at the installation's own Gateway, beside its routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fairway.gateway.attach import Attached
from fairway.gateway.balancers import shown
from fairway.gateway.certificates import Pair
from fairway.gateway.conditions import Verdict
from fairway.gateway.gateways import Gateway
from fairway.gateway.hostnames import meet
from fairway.gateway.ingress import Ingress, redirected
from fairway.gateway.listeners import Listening, Secrets
from fairway.gateway.objects.gateway import Listener
from fairway.gateway.objects.meta import head
from fairway.gateway.objects.values import is_hostname
from fairway.gateway.rules import Route
from fairway.gateway.snapshot import Ref, Warned, World


class Served(NamedTuple):
    """What Ingresses add to the own Gateway: listeners, and what is attached to which."""

    listeners: tuple[Listening, ...]
    attached: tuple[Attached, ...]
    warned: tuple[Warned, ...]


def serve(
    world: World, own: Gateway | None, routes: list[tuple[Ingress, list[Route]]], secrets: Secrets
) -> Served:
    """Every Ingress at every listener of the own Gateway that can take it."""
    if own is None:
        why = "there is no Gateway of the installation's own, at which Ingresses are served"
        return Served((), (), tuple(Warned(each.ref, "NoGateway", why) for each, _ in routes))
    pairs, warned = _pairs([each for each, _ in routes], secrets)
    listeners = _listeners(world, own, pairs) if routes else ()
    ports = _ports(world)
    there = [each for each in own.served if each.port in ports]
    attached = [
        found
        for listener in (*there, *listeners)
        for ingress, mine in routes
        for route in mine
        for found in _attach(listener, route, ports, away=_away(ingress, route, pairs))
    ]
    return Served(tuple(listeners), tuple(attached), tuple(warned))


def _ports(world: World) -> dict[int, int]:
    """The ports of Ingresses; for HTTP ports the HTTPS port that belongs to it, else 0."""
    place = world.place
    plain = {place.http_port: place.https_port}
    if place.addresses:
        plain |= {80: 443}
    return plain | dict.fromkeys(plain.values(), 0)


def _pairs(
    ingresses: Iterable[Ingress], secrets: Secrets
) -> tuple[dict[str, tuple[Ref, Pair]], list[Warned]]:
    """Certificates by hostname (none: for the rest); of two for one name, the older Ingress's."""
    pairs: dict[str, tuple[Ref, Pair]] = {}
    warned = []
    for each in ingresses:
        for tls in each.spec.tls:
            found = secrets.plain(Ref("Secret", each.ref.namespace, tls.secret_name))
            if isinstance(found, Verdict):
                warned.append(Warned(each.ref, "BadCertificate", found.message))
                continue
            for host in tls.hosts or ("",):
                if host and not is_hostname(host):
                    warned.append(Warned(each.ref, "Invalid", f"TLS host {host!r} cannot be one"))
                else:
                    pairs.setdefault(host, found)
    return pairs, warned


def _listeners(
    world: World, own: Gateway, pairs: dict[str, tuple[Ref, Pair]]
) -> Iterable[Listening]:
    """Those that the Gateway does not have itself."""
    there = {(each.port, each.hostname) for each in own.served}
    protocols = {each.port: each.protocol for each in own.served}
    found = []
    for port, secure in _ports(world).items():
        protocol = "HTTP" if secure else "HTTPS"
        if protocols.get(port, protocol) != protocol:
            continue
        names = [""] if secure else sorted(pairs)
        for number, host in enumerate(names):
            if (port, host) in there:
                continue
            spec = Listener(f"ingress_{number}", port, protocol, host)
            held = () if secure else (pairs[host],)
            found.append(Listening(own.ref, spec, secrets=held))
    return found


def _away(ingress: Ingress, route: Route, pairs: dict[str, tuple[Ref, Pair]]) -> bool:
    """Whether HTTP sends to HTTPS: always, or where there is a certificate for the host."""
    wish = ingress.policy.to_https
    host = route.hostnames[0] if route.hostnames else ""
    secured = any(meet(name, host) == host for name in pairs)
    return wish == "always" or (wish == "with-certificate" and secured)


def _attach(
    listener: Listening, route: Route, ports: dict[int, int], *, away: bool
) -> Iterable[Attached]:
    host = route.hostnames[0] if route.hostnames else ""
    common = meet(listener.hostname, host)
    if common is not None:
        secure = ports[listener.port]
        sent = redirected(route, secure) if away and secure else route
        yield Attached(sent, listener, (common,))


def ingress_status(addresses: Iterable[str]) -> dict[str, Any]:
    """An Ingress's status."""
    entries = [{"ip": address} for address in addresses]
    return {"loadBalancer": {"ingress": entries} if entries else {}}


def stale(world: World, ours: set[Ref], addresses: set[str]) -> Iterable[Ref]:
    """Ingresses that are not ours any more, whose status still shows our address."""
    for obj in world.of("Ingress"):
        ref, _ = head(obj, "Ingress")
        if ref not in ours and addresses and set(shown(obj)) & addresses:
            yield ref
