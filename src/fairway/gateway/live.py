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
    """A backend's part of a rule's traffic: `weight` of the sum of the rule's weights. One without
    any traffic may be left out."""

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


def by_route(configs: Iterable[Resource]) -> dict[Ref, list[Mapping[str, Any]]]:
    """Envoy's routes by the object that they are of, which their names say:
    `KIND/NAMESPACE/NAME/RULE/MATCH`."""
    found: dict[Ref, list[Mapping[str, Any]]] = {}
    for config in configs:
        for host in config.get("virtual_hosts", ()):
            for route in host.get("routes", ()):
                parts = str(route.get("name", "")).split("/")
                if len(parts) > 3:
                    found.setdefault(Ref(*parts[:3]), []).append(route)
    return found


def live(routes: Iterable[Mapping[str, Any]], version: str) -> Live:
    """The weights that an object's routes in Envoy split by; no rules where it has none of it."""
    rules: dict[int, tuple[Share, ...]] = {}
    for route in routes:
        place = str(route["name"]).split("/")[3]
        if place.isdigit() and int(place) not in rules:
            rules[int(place)] = _shares(route.get("route") or {})
    return Live(version=version, rules=rules)


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


def with_condition(status: Mapping[str, Any], found: Live, refused: str = "") -> Mapping[str, Any]:
    """A route's status that says for each parent that takes the route whether it is live."""
    parents = [
        {**parent, "conditions": [*parent["conditions"], _condition(parent, found, refused)]}
        if _accepted(parent) or refused
        else parent
        for parent in status.get("parents", ())
    ]
    return {**status, "parents": parents}


def _accepted(parent: Mapping[str, Any]) -> Mapping[str, Any] | None:
    said: Iterable[Mapping[str, Any]] = parent["conditions"]
    return next((one for one in said if (one["type"], one["status"]) == ("Accepted", "True")), None)


def _condition(parent: Mapping[str, Any], found: Live, refused: str) -> dict[str, Any]:
    generations = [int(one.get("observedGeneration", 0)) for one in parent["conditions"]]
    return {
        "type": CONDITION,
        "status": "False" if refused else "True",
        "reason": "Rejected" if refused else "Confirmed",
        "message": f"Envoy refused it: {refused}" if refused else message(found),
        "observedGeneration": max(generations, default=0),
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
