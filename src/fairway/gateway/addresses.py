"""Addresses for Gateways and Services of type LoadBalancer, from one range, without memory.

An address stays with whoever has it: what the caller remembers first, then what the object's status
says, older objects first. So the answer is the same after a restart and on every process.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fairway.gateway.snapshot import Ref


class Wish(NamedTuple):
    """What an object wants: `fixed` addresses (empty: any one), and what its status shows."""

    ref: Ref
    fixed: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


class Granted(NamedTuple):
    """Who has what, and which fixed wishes cannot be met, each with the reason."""

    addresses: Mapping[Ref, tuple[str, ...]]
    unusable: Mapping[Ref, Mapping[str, str]]


def assign(network: str, wishes: Iterable[Wish], before: Mapping[Ref, tuple[str, ...]]) -> Granted:
    """Who gets which address. `wishes` come oldest first. Whoever is missing from the answer got
    none: the range is used up, or what it asked for cannot be had."""
    hall = _Hall(network)
    wanted = list(wishes)
    for wish in wanted:
        hall.keep(wish, (*before.get(wish.ref, ()), *wish.shown))
    for wish in wanted:
        hall.fix(wish)
    for wish in wanted:
        hall.fill(wish)
    return Granted(hall.granted, hall.unusable)


class _Hall:
    def __init__(self, network: str) -> None:
        self._network = ipaddress.ip_network(network, strict=False)
        ends = {self._network.network_address, self._network.broadcast_address}
        self._ends = {str(end) for end in ends} if self._network.num_addresses > 2 else set()
        self._taken: dict[str, Ref] = {}
        self._free = (str(each) for each in self._network.hosts())
        self.granted: dict[Ref, tuple[str, ...]] = {}
        self.unusable: dict[Ref, dict[str, str]] = {}

    def keep(self, wish: Wish, had: tuple[str, ...]) -> None:
        """What one has stays, as long as it still wants it: a single one where any will do."""
        for address in had:
            enough = not wish.fixed and wish.ref in self.granted
            if (wish.fixed and address not in wish.fixed) or enough or self._refusal(address, wish):
                continue
            self._give(wish.ref, address)

    def fix(self, wish: Wish) -> None:
        for address in wish.fixed:
            if refusal := self._refusal(address, wish):
                self.unusable.setdefault(wish.ref, {})[address] = refusal
            else:
                self._give(wish.ref, address)

    def fill(self, wish: Wish) -> None:
        if wish.fixed or wish.ref in self.granted:
            return
        for address in self._free:
            if address not in self._taken and address not in self._ends:
                self._give(wish.ref, address)
                return

    def _refusal(self, address: str, wish: Wish) -> str:
        try:
            inside = ipaddress.ip_address(address) in self._network
        except ValueError:
            return "is not an IP address"
        if not inside or address in self._ends:
            return f"is not an address of {self._network}"
        holder = self._taken.get(address, wish.ref)
        return "" if holder == wish.ref else f"belongs to {holder}"

    def _give(self, ref: Ref, address: str) -> None:
        held = self.granted.get(ref, ())
        if address not in held:
            self.granted[ref] = (*held, address)
            self._taken[address] = ref
