"""Services and the endpoints behind their ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

HASH_LABELS: Final = ("rollouts-pod-template-hash", "pod-template-hash")
SERVICE_LABEL: Final = "kubernetes.io/service-name"


class ServicePort(Struct, rename="camel", frozen=True):
    """A port of a Service."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str = ""


class ServiceSpec(
    Struct,
    rename={
        "load_balancer_ip": "loadBalancerIP",
        "load_balancer_class": "loadBalancerClass",
        "source_ranges": "loadBalancerSourceRanges",
    },
    frozen=True,
):
    """A Service's spec."""

    type: str = "ClusterIP"
    selector: Mapping[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    load_balancer_ip: str = ""
    load_balancer_class: str = ""
    source_ranges: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The pod-template hash that it selects; empty when it selects every version."""
        return next((self.selector[label] for label in HASH_LABELS if label in self.selector), "")

    def find(self, number: int) -> ServicePort | None:
        """The TCP port of a number."""
        ports = [each for each in self.ports if each.port == number and each.protocol == "TCP"]
        return ports[0] if ports else None


class Conditions(Struct, frozen=True):
    """Of an endpoint; what is not said counts as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Struct, frozen=True):
    """An address behind a Service."""

    addresses: tuple[str, ...] = ()
    conditions: Conditions = Conditions()


class SlicePort(Struct, frozen=True):
    """A port of an EndpointSlice: named as the Service's port is."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"


class Slice(Struct, rename="camel", frozen=True):
    """An EndpointSlice."""

    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()


class Backend(NamedTuple):
    """Where a request can go."""

    address: str
    port: int


def backends(slices: Iterable[Slice], port: ServicePort) -> tuple[Backend, ...]:
    """The endpoints of a port, in a fixed order. As kube-proxy does: those that are ready; where
    none is, those that still serve while they end, so that the last ones do not cut traffic."""
    ready: set[Backend] = set()
    ending: set[Backend] = set()
    for each in slices:
        if each.address_type not in {"IPv4", "IPv6"}:
            continue
        same = [p.port for p in each.ports if (p.name, p.protocol) == (port.name, port.protocol)]
        numbers = [number for number in same if number and 0 < number < 65536]
        for endpoint in each.endpoints:
            at = next(filter(_is_address, endpoint.addresses), "")
            found = {Backend(at, number) for number in numbers if at}
            state = endpoint.conditions
            if state.ready is not False:
                ready |= found
            elif state.serving and state.terminating:
                ending |= found
    return tuple(sorted(ready or ending))


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
