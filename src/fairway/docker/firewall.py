"""What a Docker Engine leaves in iptables, and what of it is ours to remove. Pure.

The names of Docker's chains are fixed: every daemon on a machine shares them, and one that starts
empties them first. So before ours starts we note what is there; while it runs beside another
daemon we put back what its start removed; after it stopped we take away what it added.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Final

from msgspec import Struct

from fairway.docker.addresses import Addresses

TABLES: Final = ("filter", "nat")
_CHAINS: Final = ("DOCKER", "DOCKER-USER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")
_INTERFACE: Final = frozenset({"-i", "-o", "--in-interface", "--out-interface"})
_ADDRESS: Final = frozenset({"-s", "-d", "--source", "--destination", "--to-destination"})

Command = tuple[str, ...]


class Table(Struct, frozen=True):
    """Chains with their policy ("-" for those that are not built in), and rules in order."""

    chains: dict[str, str] = {}
    rules: tuple[str, ...] = ()


Rules = dict[str, Table]


def parse(text: str) -> Rules:
    """Read `iptables-save`; tables other than ours are left out."""
    found: Rules = {}
    name, chains, rules = "", dict[str, str](), list[str]()
    for line in text.splitlines():
        if line.startswith("*"):
            name, chains, rules = line[1:].strip(), {}, []
        elif line.startswith(":"):
            chain, policy, *_ = line[1:].split()
            chains[chain] = policy
        elif line.startswith("-A "):
            rules.append(line.strip())
        elif line.startswith("COMMIT") and name in TABLES:
            found[name] = Table(chains=chains, rules=tuple(rules))
    return found


class Ours(Struct, frozen=True):
    """How to recognise what belongs to our Engine: its bridges and its addresses."""

    bridges: tuple[str, ...]
    addresses: Addresses


def is_ours(rule: str, ours: Ours) -> bool:
    """Whether a rule names one of our bridges or an address of our block."""
    words = shlex.split(rule)
    for flag, value in pairwise(words):
        if flag in _INTERFACE and value in ours.bridges:
            return True
        if flag in _ADDRESS and _in_block(value, ours.addresses):
            return True
    return False


def _in_block(value: str, addresses: Addresses) -> bool:
    try:
        return addresses.holds(value.split(":", maxsplit=1)[0])
    except ValueError:
        return False


def removal(before: Rules, now: Rules, ours: Ours, *, others: bool) -> list[Command]:
    """The iptables commands that take our Engine's part of `now` away.

    With `others` (another daemon runs here) only rules of our bridges and addresses go. Otherwise
    Docker's chains go too, and the policy of FORWARD comes back, as far as they were not there
    `before`. A chain DOCKER-USER into which somebody wrote rules stays.
    """
    commands: list[Command] = []
    for name, table in now.items():
        was = before.get(name, Table())
        gone = [rule for rule in table.rules if is_ours(rule, ours)]
        if not others:
            chains = _chains_to_remove(was, table, gone)
            jumps = [rule for rule in table.rules if rule not in gone and _target(rule) in chains]
            gone += [rule for rule in jumps if rule not in was.rules]
            commands += [_delete(name, rule) for rule in gone if _chain(rule) not in chains]
            commands += [(*_on(name), "-F", chain) for chain in chains]
            commands += [(*_on(name), "-X", chain) for chain in chains]
            commands += _policies(name, was, table)
        else:
            commands += [_delete(name, rule) for rule in gone]
    return commands


def _chains_to_remove(was: Table, now: Table, gone: Iterable[str]) -> list[str]:
    return [
        chain
        for chain in _CHAINS
        if chain in now.chains and chain not in was.chains and not _is_used(chain, now, set(gone))
    ]


def _is_used(chain: str, table: Table, gone: set[str]) -> bool:
    """Whether somebody put rules of their own into the chain that Docker leaves to them."""
    if chain != "DOCKER-USER":
        return False
    rules = [rule for rule in table.rules if _chain(rule) == chain and rule not in gone]
    return any(_target(rule) != "RETURN" or len(shlex.split(rule)) > 4 for rule in rules)


def _policies(name: str, was: Table, now: Table) -> list[Command]:
    former = was.chains.get("FORWARD")
    if name == "filter" and former not in (None, now.chains.get("FORWARD")):
        return [(*_on(name), "-P", "FORWARD", str(former))]
    return []


def lost(before: Rules, now: Rules, here: Collection[str] | None = None) -> list[Command]:
    """The commands that put back, in their order, rules which our Engine's start removed.

    `here`: the interfaces that there are. A rule of another is a daemon's that has gone since.
    """
    commands: list[Command] = []
    for name, table in before.items():
        present = now.get(name, Table())
        at: dict[str, int] = {}
        gone = (chain for chain in table.chains if chain not in present.chains)
        commands += [(*_on(name), "-N", chain) for chain in gone]
        for rule in table.rules:
            if rule not in present.rules and (here is None or _bridges(rule) <= {*here}):
                chain = _chain(rule)
                at[chain] = at.get(chain, 0) + 1
                words = shlex.split(rule)[2:]
                commands.append((*_on(name), "-I", chain, str(at[chain]), *words))
    return commands


def owned_bridges(interfaces: Mapping[str, str], addresses: Addresses) -> tuple[str, ...]:
    """Of interfaces and their addresses, those in our block: it was free when we took it."""
    return tuple(sorted(n for n, at in interfaces.items() if at and addresses.holds(at)))


def _bridges(rule: str) -> set[str]:
    """The interfaces that a rule names."""
    pairs = pairwise(shlex.split(rule))
    return {name for flag, name in pairs if flag in {"-i", "-o"} and not name.endswith("+")}


def _on(table: str) -> Command:
    return ("-t", table)


def _delete(table: str, rule: str) -> Command:
    words = shlex.split(rule)
    return (*_on(table), "-D", *words[1:])


def _chain(rule: str) -> str:
    return rule.split()[1]


def _target(rule: str) -> str:
    words = shlex.split(rule)
    return words[words.index("-j") + 1] if "-j" in words else ""
