"""An embedded cluster's iptables rules on its host: chains of its own, and jumps to them. Pure.

A Docker Engine sets the policy of FORWARD to DROP; so what may pass is said. Pods reach the
outside and ports that containers publish; containers of this machine reach pods and Services;
nobody else does, and one cluster does not reach another's pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from fairway.cluster.plan import ClusterPlan

# Interfaces of containers on this machine: Docker's networks, our own Engine's bridge.
_CONTAINERS: Final = ("docker+", "br-+", "fairway+")
_CLUSTERS: Final = "fwk+"

Command = tuple[str, ...]


class Chain(Struct, frozen=True):
    """One chain of ours: in which table, where it is jumped to from, and its rules."""

    table: str
    name: str
    parent: str
    rules: tuple[str, ...]


def chains(plan: ClusterPlan) -> tuple[Chain, ...]:
    """All chains of a cluster."""
    bridge = plan.bridge
    forward = (
        f"-i {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-i {bridge} -m conntrack --ctstate DNAT -j ACCEPT",
        *(f"-i {bridge} -o {other} -j RETURN" for other in (*_CONTAINERS, _CLUSTERS)),
        f"-i {bridge} -j ACCEPT",
        f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        *(f"-i {other} -o {bridge} -j ACCEPT" for other in _CONTAINERS),
        f"-o {bridge} -j DROP",
    )
    inward = tuple(
        f"-i {bridge} -d {address} -j ACCEPT" for address in (plan.gateway, plan.balancers)
    )
    outward = (f"-s {plan.block} ! -o {bridge} -j MASQUERADE",)
    return (
        Chain("filter", plan.chain, "FORWARD", forward),
        Chain("filter", f"{plan.chain}-IN", "INPUT", inward),
        Chain("nat", f"{plan.chain}-OUT", "POSTROUTING", outward),
    )


def restore(plan: ClusterPlan) -> str:
    """The input of `iptables-restore --noflush` that makes our chains anew, whole or not at all."""
    text = ""
    for table in ("filter", "nat"):
        ours = [chain for chain in chains(plan) if chain.table == table]
        text += f"*{table}\n"
        text += "".join(f":{chain.name} - [0:0]\n" for chain in ours)
        text += "".join(f"-A {chain.name} {rule}\n" for chain in ours for rule in chain.rules)
        text += "COMMIT\n"
    return text


def jumps(plan: ClusterPlan, saved: Mapping[str, list[str]]) -> list[Command]:
    """The commands that put missing jumps first in their parents."""
    return [
        ("-t", chain.table, "-I", chain.parent, "1", "-j", chain.name)
        for chain in chains(plan)
        if f"-A {chain.parent} -j {chain.name}" not in saved.get(chain.table, [])
    ]


def is_whole(plan: ClusterPlan, saved: Mapping[str, list[str]]) -> bool:
    """Whether each of our chains has as many rules as it should."""
    for chain in chains(plan):
        begin = f"-A {chain.name} "
        found = [line for line in saved.get(chain.table, []) if line.startswith(begin)]
        if len(found) != len(chain.rules):
            return False
    return True


def removal(plan: ClusterPlan, saved: Mapping[str, list[str]]) -> list[Command]:
    """The commands that take away all that is ours."""
    commands: list[Command] = []
    for chain in chains(plan):
        lines = saved.get(chain.table, [])
        on = ("-t", chain.table)
        jump = f"-A {chain.parent} -j {chain.name}"
        commands += [(*on, "-D", chain.parent, "-j", chain.name) for line in lines if line == jump]
        if f":{chain.name}" in {line.split(" ")[0] for line in lines}:
            commands += [(*on, "-F", chain.name), (*on, "-X", chain.name)]
    return commands


def parse(text: str) -> dict[str, list[str]]:
    """Read `iptables-save`: the lines of each table."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("*"):
            lines = found.setdefault(line[1:].strip(), [])
        elif line.startswith(("-A ", ":")):
            lines.append(line.strip())
    return found
