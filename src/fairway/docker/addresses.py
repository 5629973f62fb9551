"""Which private addresses an Engine of our own may use: those that nothing here uses. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from msgspec import Struct

from fairway.model.errors import Unavailable

# 1,024 networks of 254 addresses each: a build has a network of its own.
_BLOCK_PREFIX: Final = 14
_NETWORK_PREFIX: Final = 24
# From the least to the most usual, so that a network which appears later rarely collides.
_RANGES: Final = (
    IPv4Network("10.200.0.0/13"),
    IPv4Network("10.128.0.0/10"),
    IPv4Network("172.24.0.0/13"),
    IPv4Network("10.0.0.0/9"),
    IPv4Network("100.64.0.0/10"),
)
_NAME_LENGTH: Final = 15  # the kernel's limit for an interface


class Addresses(Struct, frozen=True):
    """`gateway` is the host's own address on our bridge; networks are cut out of `pools`."""

    block: str
    gateway: str
    pools: tuple[str, ...]
    pool_prefix: int = _NETWORK_PREFIX

    @property
    def gateway_address(self) -> str:
        """The gateway without its prefix."""
        return str(IPv4Interface(self.gateway).ip)

    def holds(self, address: str) -> bool:
        """Whether an address or network lies in our block."""
        network = IPv4Network(address, strict=False)
        return network.subnet_of(IPv4Network(self.block))


def choose(taken: Iterable[IPv4Network]) -> Addresses:
    """The first block that overlaps nothing taken.

    Raises Unavailable when every private range is in use; retrying does not help.
    """
    used = [network for network in taken if network.prefixlen > 0]
    for block in _blocks():
        if not any(block.overlaps(network) for network in used):
            return _cut(block)
    raise Unavailable(
        "every private address range is in use by this machine's routes",
        code="no-free-addresses",
        remedy="start a Docker Engine with addresses of your choice and set DOCKER_HOST",
    )


def _blocks() -> Iterator[IPv4Network]:
    for space in _RANGES:
        yield from space.subnets(new_prefix=_BLOCK_PREFIX)


def _cut(block: IPv4Network) -> Addresses:
    first, *rest = block.subnets(new_prefix=16)
    bridge = next(first.subnets(new_prefix=_NETWORK_PREFIX))
    gateway = IPv4Interface((bridge.network_address + 1, _NETWORK_PREFIX))
    return Addresses(block=str(block), gateway=str(gateway), pools=tuple(map(str, rest)))


def routes(text: str) -> list[IPv4Network]:
    """The networks of `/proc/net/route`: hexadecimal, in the machine's (little) byte order."""
    found = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7:
            address, mask = (int(columns[at], 16).to_bytes(4, "little") for at in (1, 7))
            prefix = int.from_bytes(mask, "big").bit_count()
            found.append(IPv4Network((address, prefix), strict=False))
    return found


def nameservers(text: str) -> list[IPv4Network]:
    """The IPv4 name servers of a resolv.conf: hiding one would break every build."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and words[1].count(".") == 3:
            found.append(IPv4Network(IPv4Address(words[1])))
    return found


def bridge_name(folder: str) -> str:
    """The name of our bridge: two Fairways on one machine have two."""
    digest = hashlib.sha256(folder.encode()).hexdigest()
    return f"fairway{digest}"[:_NAME_LENGTH]
