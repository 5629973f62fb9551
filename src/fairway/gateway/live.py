"""Which weights are live: read from routes that Envoy has confirmed, and from a route's status.

An HTTPRoute's status has, for each parent, a condition `fairway.dev/Live`. It is True once Envoy's
own version counter showed the configuration made from the route's `observedGeneration`; its message
says that version and each rule's weights. So whoever moves traffic knows from the object alone,
on whichever process the gateway runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.gateway.snapshot import CONTROLLER, ClusterName, Object, Ref, Resource

CONDITION: Final = "fairway.dev/Live"
_RULE: Final = re.compile(r"rule (\d+): ([^;]+)")
_VERSION: Final = re.compile(r"version (\w+)")


class Share(Struct, frozen=True, order=True):
    """A backend's part of a rule's traffic. `weight` is of the sum of the rule's weights."""

    namespace: str
    service: str
    port: int
    weight: int
    version: str = ""  # the pod-template hash that the Service selects


class Live(Struct, frozen=True):
    """What a route's rules split by, by the rule's place. `version` is what Envoy confirmed."""

    version: str
    rules: Mapping[int, tuple[Share, ...]]
    generation: int = 0


def live(routes: Iterable[Resource], ref: Ref, version: str) -> Live:
    """The weights of a route in the routes that Envoy has; no rules where it has none of it."""
    rules: dict[int, tuple[Share, ...]] = {}
    for found in _routes(routes):
        place = _place(str(found.get("name", "")), ref)
        if place is not None and place not in rules:
            rules[place] = _shares(found.get("route") or {})
    return Live(version=version, rules=rules)


def _routes(configs: Iterable[Resource]) -> Iterable[Mapping[str, Any]]:
    for config in configs:
        for host in config.get("virtual_hosts", ()):
            yield from host.get("routes", ())


def _place(name: str, ref: Ref) -> int | None:
    """The rule that an Envoy route is of: `KIND/NAMESPACE/NAME/RULE/MATCH`."""
    parts = name.split("/")
    if len(parts) < 4 or tuple(parts[:3]) != (ref.kind, ref.namespace, ref.name):
        return None
    return int(parts[3]) if parts[3].isdigit() else None


def _shares(action: Mapping[str, Any]) -> tuple[Share, ...]:
    if "cluster" in action:
        single = _share(str(action["cluster"]), 1)
        return (single,) if single else ()
    clusters = (action.get("weighted_clusters") or {}).get("clusters", ())
    shares = (_share(str(one.get("name", "")), int(one.get("weight", 0))) for one in clusters)
    return tuple(share for share in shares if share)


def _share(name: str, weight: int) -> Share | None:
    cluster = ClusterName.parse(name)
    if cluster is None:
        return None
    return Share(cluster.namespace, cluster.service, cluster.port, weight, cluster.version)


def condition(found: Live, generation: int) -> dict[str, Any]:
    """The condition of a route whose configuration is live."""
    return {
        "type": CONDITION,
        "status": "True",
        "reason": "Confirmed",
        "message": message(found),
        "observedGeneration": generation,
    }


def message(found: Live) -> str:
    """`version 3f1c…; rule 0: shop/web:80=90 shop/web-canary:80=10`."""
    rules = [
        f"rule {place}: "
        + " ".join(f"{one.namespace}/{one.service}:{one.port}={one.weight}" for one in shares)
        for place, shares in sorted(found.rules.items())
        if shares
    ]
    return "; ".join([f"version {found.version}", *rules])


def told(route: Object) -> Live | None:
    """What a route's status says is live; None while it says nothing, or that it is not.

    Where several parents are ours, what all of them have confirmed: the oldest generation.
    """
    said = [one for one in _conditions(route) if one.get("type") == CONDITION]
    if not said or any(one.get("status") != "True" for one in said):
        return None
    oldest = min(said, key=lambda one: int(one.get("observedGeneration", 0)))
    text = str(oldest.get("message", ""))
    version = _VERSION.search(text)
    rules = {int(place): tuple(map(_read, shares.split())) for place, shares in _RULE.findall(text)}
    return Live(version[1] if version else "", rules, int(oldest.get("observedGeneration", 0)))


def _conditions(route: Object) -> Iterable[Mapping[str, Any]]:
    for parent in (route.get("status") or {}).get("parents") or ():
        if parent.get("controllerName") == CONTROLLER:
            yield from parent.get("conditions") or ()


def _read(text: str) -> Share:
    backend, _, weight = text.rpartition("=")
    namespace, _, rest = backend.partition("/")
    service, _, port = rest.rpartition(":")
    return Share(namespace, service, int(port), int(weight))
