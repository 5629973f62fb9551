"""Services of type LoadBalancer: which are ours, and what their status says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, ValidationError

from fairway.gateway.objects.meta import Meta, by_age, entries, head, part, read
from fairway.gateway.objects.service import ServicePort, ServiceSpec
from fairway.gateway.snapshot import Object, Ref, Warned, World

CLASS: Final = "fairway.dev/gateway"  # spec.loadBalancerClass; none at all is ours as well
_REFUSED: Final = "fairway.dev/only-tcp"


class Balancer(Struct, frozen=True):
    """A Service of type LoadBalancer."""

    ref: Ref
    meta: Meta
    spec: ServiceSpec
    shown: tuple[str, ...] = ()  # the addresses in its status

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """The ports that can be served."""
        ports = self.spec.ports
        return tuple(each for each in ports if each.protocol == "TCP" and 0 < each.port < 65536)


def read_balancers(world: World) -> list[Balancer]:
    """Those that are ours, oldest first."""
    found = []
    for obj in world.of("Service"):
        ref, meta = head(obj, "Service")
        try:
            spec = read(obj.get("spec", {}), ServiceSpec)
        except ValidationError:
            continue
        if spec.type != "LoadBalancer" or spec.load_balancer_class not in ("", CLASS):
            continue
        if not meta.deletion_timestamp:
            found.append(Balancer(ref, meta, spec, shown(obj)))
    return sorted(found, key=lambda each: by_age(each.meta))


def shown(obj: Object) -> tuple[str, ...]:
    """The addresses in the status of a Service or an Ingress."""
    held = entries(part(obj, "status", "loadBalancer").get("ingress"))
    return tuple(ip for each in held if isinstance(ip := each.get("ip"), str))


def warnings(balancer: Balancer, world: World, given: tuple[str, ...]) -> Iterable[Warned]:
    """What its owner should hear."""
    ref = balancer.ref
    if ref in world.refused:
        yield Warned(ref, "Refused", f"Envoy refused it: {world.refused[ref]}")
    if not world.place.addresses:
        why = "this gateway shares its addresses: Services of type LoadBalancer get none"
        yield Warned(ref, "NoAddress", why)
    elif balancer.ports and not given:
        asked = balancer.spec.load_balancer_ip
        why = f"the address {asked} cannot be had" if asked else "the range of addresses is used up"
        yield Warned(ref, "NoAddress", why)
    for port in balancer.spec.ports:
        if port.protocol != "TCP":
            why = f"port {port.port} is not served: {port.protocol} is not supported, only TCP"
            yield Warned(ref, "UnsupportedProtocol", why)
    for cidr in bad_ranges(balancer.spec):
        yield Warned(ref, "BadSourceRange", f"{cidr!r} in loadBalancerSourceRanges is no network")


def bad_ranges(spec: ServiceSpec) -> list[str]:
    """Source ranges that are none. A Service with one is not served: leaving a limit out would
    open what was meant to be closed."""
    return [each for each in spec.source_ranges if not _is_network(each.strip())]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def balancer_status(balancer: Balancer, given: tuple[str, ...]) -> dict[str, Any]:
    """The status of a Service: its address, and per port why it is not served."""
    if not given:
        return {"loadBalancer": {}}
    ports = []
    for each in balancer.spec.ports:
        port: dict[str, Any] = {"port": each.port, "protocol": each.protocol}
        ports.append(port if each.protocol == "TCP" else port | {"error": _REFUSED})
    held = [{"ip": address, "ipMode": "Proxy", "ports": ports} for address in given]
    return {"loadBalancer": {"ingress": held}}


def stale(world: World) -> Iterable[Ref]:
    """Services that were ours to serve and are not any more: their status still shows an address
    of our range."""
    if not world.place.addresses:
        return
    network = ipaddress.ip_network(world.place.addresses, strict=False)
    for obj in world.of("Service"):
        balanced = part(obj, "spec").get("type") == "LoadBalancer"
        if not balanced and any(_within(each, network) for each in shown(obj)):
            yield head(obj, "Service")[0]


def _within(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False
