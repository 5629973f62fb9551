"""Subnets for networks when the engine's own pools, 31 by default, are used up."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SPARE: Final = ipaddress.ip_network("10.224.0.0/11")  # cut into 32,768 pieces of 64 addresses
_PREFIX: Final = 26
_TRIES: Final = 16


def spare_subnets(name: str, routes: Path = Path("/proc/net/route")) -> Iterator[str]:
    """Candidates for a network, spread by its name, that no route of this machine leads to."""
    taken = _routed(routes)
    count = 1 << (_PREFIX - _SPARE.prefixlen)
    for number in range(_TRIES):
        digest = hashlib.sha256(f"{name}/{number}".encode()).digest()
        base = int(_SPARE.network_address) + (int.from_bytes(digest[:4], "big") % count) * 64
        subnet = ipaddress.ip_network((base, _PREFIX))
        if not any(subnet.overlaps(other) for other in taken):
            yield str(subnet)


def _routed(routes: Path) -> list[ipaddress.IPv4Network]:
    """Where this machine's routes lead to, the default route aside."""
    try:
        lines = routes.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 7))
        if mask:
            prefix = mask.bit_count()
            found.append(ipaddress.IPv4Network((address & mask, prefix)))
    return found
