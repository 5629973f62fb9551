"""The addresses and names of an embedded cluster: chosen once, its own on this machine. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from typing import Final

from msgspec import Struct

from fairway.model.errors import Unavailable

_BLOCK_PREFIX: Final = 16
# Not 10.200.0.0/13 and 10.128.0.0/10, of which a Docker Engine of ours takes its networks.
_SPACES: Final = (
    IPv4Network("10.64.0.0/10"),
    IPv4Network("10.208.0.0/12"),
    IPv4Network("10.32.0.0/11"),
    IPv4Network("172.24.0.0/13"),
    IPv4Network("10.0.0.0/11"),
    IPv4Network("100.64.0.0/10"),
)
API_PORT: Final = 6443
ETCD_PORT: Final = 2379
KUBELET_PORT: Final = 10250


class ClusterPlan(Struct, frozen=True, kw_only=True):
    """What is this cluster's own. All addresses lie in `block`, so that one look tells whose they
    are; ports can be the usual ones, because the addresses are no other's.
    """

    name: str
    id: str  # of installation and name: marks devices, rules and control groups
    block: str  # a /16
    bridge: str  # the device on the host
    veth: str  # the host's end of the wire to the node
    network: str  # of bridge and node
    gateway: str  # the host's address on the bridge: API server, Fairway's HTTP
    node: str  # the node's address
    balancers: str  # for Services of type LoadBalancer and Gateways; local on the host
    services: str
    dns: str  # CoreDNS's address as a Service
    pods: str
    loopback: str  # of the host: etcd, controller-manager, scheduler
    cgroup: str  # root of the pods' control groups, below each hierarchy

    @property
    def node_name(self) -> str:
        """The node's name in Kubernetes."""
        return f"{self.name}-node"

    @property
    def api(self) -> str:
        """The API server's URL, from the host and from pods."""
        return f"https://{self.gateway}:{API_PORT}"

    @property
    def etcd(self) -> str:
        """etcd's URL, from the host only."""
        return f"https://{self.loopback}:{ETCD_PORT}"

    @property
    def chain(self) -> str:
        """The name of our iptables chains."""
        return f"FAIRWAY-{self.id}"

    @property
    def prefix(self) -> int:
        """The length of the bridge network's prefix."""
        return IPv4Network(self.network).prefixlen


def identity(installation: str, name: str) -> str:
    """Eight hexadecimal digits for a cluster of an installation."""
    return hashlib.sha256(f"{installation}/{name}".encode()).hexdigest()[:8]


def choose(installation: str, name: str, taken: Iterable[IPv4Network]) -> ClusterPlan:
    """The plan of a new cluster: a block that overlaps nothing `taken`.

    Each installation begins to look at another place, so that two which never run together
    rarely choose the same. Raises Unavailable (`no-free-addresses`).
    """
    own = identity(installation, name)
    used = [network for network in taken if network.prefixlen > 0]
    for block in _blocks(int(own, 16)):
        if not any(block.overlaps(network) for network in used):
            return cut(block, own, name)
    raise Unavailable(
        "every private address range is in use by this machine's routes",
        code="no-free-addresses",
        remedy="use an existing Kubernetes: `fairway up --kubeconfig FILE`",
    )


def _blocks(start: int) -> Iterator[IPv4Network]:
    for space in _SPACES:
        blocks = [*space.subnets(new_prefix=_BLOCK_PREFIX)]
        first = start % len(blocks)
        yield from blocks[first:] + blocks[:first]


def cut(block: IPv4Network, own: str, name: str) -> ClusterPlan:
    """Cut a /16 into the networks of a cluster."""
    small = [*block.subnets(new_prefix=24)]
    large = [*block.subnets(new_prefix=20)]
    parts = str(block.network_address).split(".")
    return ClusterPlan(
        name=name,
        id=own,
        block=str(block),
        bridge=f"fwk{own}",
        veth=f"fwv{own}",
        network=str(small[0]),
        gateway=str(small[0].network_address + 1),
        node=str(small[0].network_address + 2),
        balancers=str(small[1]),
        services=str(large[1]),
        dns=str(large[1].network_address + 10),
        pods=str(large[2]),
        loopback=f"127.{parts[0]}.{parts[1]}.1",
        cgroup=f"fairway-{own}",
    )


def overlap(plan: ClusterPlan, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The first network of others that the plan's block overlaps now; None when it is free."""
    block = IPv4Network(plan.block)
    return next((one for one in taken if one.prefixlen > 0 and block.overlaps(one)), None)


def routes(text: str, own: str = "") -> list[IPv4Network]:
    """The networks of `/proc/net/route`, those of the device `own` left out.

    Hexadecimal, in the machine's (little) byte order.
    """
    found = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7 and columns[0] != own:
            address, mask = (int(columns[at], 16).to_bytes(4, "little") for at in (1, 7))
            prefix = int.from_bytes(mask, "big").bit_count()
            found.append(IPv4Network((address, prefix), strict=False))
    return found


def nameservers(text: str) -> list[str]:
    """The IPv4 name servers of a resolv.conf."""
    words = [line.split() for line in text.splitlines()]
    return [
        line[1] for line in words if len(line) > 1 and line[0] == "nameserver" and "." in line[1]
    ]
