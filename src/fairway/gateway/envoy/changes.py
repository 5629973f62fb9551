"""What differs between what Envoy has and what it has to have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.gateway.envoy.admin import Versions
from fairway.gateway.snapshot import Resource, ResourceKind, Snapshot, version_of

Held = dict[ResourceKind, dict[str, Resource]]
_RESERVE: Final = 64  # inotify instances of this user that others may need


class Changes(Struct, frozen=True):
    """Names to write, in the order in which they are written. `listeners` and `clusters` are
    files of their own: written when any of theirs is named."""

    secrets: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()
    relist: frozenset[ResourceKind] = frozenset()  # files whose content only lost something

    @property
    def nothing(self) -> bool:
        """Whether Envoy has all of it."""
        named = (self.secrets, self.endpoints, self.clusters, self.routes, self.listeners)
        return not any(named) and not self.relist


def changes(held: Held, wanted: Snapshot, seen: Versions | None) -> Changes:
    """What to write. `seen`: Envoy's own word where our memory may be wrong, else None."""
    gone = {*held["listeners"]} - {*wanted.listeners}
    return Changes(
        secrets=_differ("secrets", held, wanted, seen.secrets if seen else None),
        endpoints=_differ("endpoints", held, wanted, seen.endpoints if seen else None),
        clusters=_differ("clusters", held, wanted, None),
        routes=_differ("routes", held, wanted, seen.routes if seen else None),
        listeners=_differ("listeners", held, wanted, None),
        relist=frozenset({*(["listeners"] if gone else ()), *_unsure(held, seen)}),
    )


def _unsure(held: Held, seen: Versions | None) -> Iterable[ResourceKind]:
    """The whole files that Envoy has another version of than we remember."""
    if seen is None:
        return
    if seen.listeners != version_of(held["listeners"]):
        yield "listeners"
    if seen.clusters != version_of(held["clusters"]):
        yield "clusters"


def _differ(
    kind: ResourceKind, held: Held, wanted: Snapshot, seen: Mapping[str, str] | None
) -> tuple[str, ...]:
    has = held[kind]
    found = []
    for name, resource in wanted.of(kind).items():
        other = has.get(name) != resource
        if other or (seen is not None and seen.get(name) != version_of({name: resource})):
            found.append(name)
    return tuple(found)


def with_endpoints(wanted: Snapshot, names: Iterable[str]) -> list[str]:
    """Those clusters of `names` that must have members before a route may lead to them."""
    return [name for name in names if _members(wanted.endpoints.get(name))]


def _members(assignment: Resource | None) -> bool:
    places: list[Mapping[str, Any]] = (assignment or {}).get("endpoints", [])
    return any(place.get("lb_endpoints") for place in places)


def subscriptions(limit: int) -> int:
    """How many files Envoy may watch: each takes one inotify instance, and it aborts without."""
    return max(limit - _RESERVE, limit // 4)


def fitting(wanted: Snapshot, most: int) -> Snapshot:
    """A snapshot that needs at most `most` watched files: the endpoints of further clusters stand
    in the clusters' own file. Changing those replaces the cluster, which costs its connections."""
    spare = most - len(wanted.routes) - len(wanted.secrets) - 2
    if len(wanted.endpoints) <= spare:
        return wanted
    inside = {*sorted(wanted.endpoints)[max(spare, 0) :]}
    clusters = {
        name: _inline(cluster, wanted.endpoints[name]) if name in inside else cluster
        for name, cluster in wanted.clusters.items()
    }
    return Snapshot(
        listeners=wanted.listeners,
        routes=wanted.routes,
        clusters=clusters,
        endpoints={name: one for name, one in wanted.endpoints.items() if name not in inside},
        secrets=wanted.secrets,
    )


def _inline(cluster: Resource, endpoints: Resource) -> Resource:
    kept = {key: value for key, value in cluster.items() if key != "eds_cluster_config"}
    return {**kept, "type": "STATIC", "load_assignment": endpoints}
