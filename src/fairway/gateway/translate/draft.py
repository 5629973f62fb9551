"""A snapshot while it is put together: every resource once, with whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from fairway.gateway.attach import Attached
from fairway.gateway.backends import Resolver
from fairway.gateway.balancers import Balancer, bad_ranges
from fairway.gateway.listeners import Listening
from fairway.gateway.snapshot import ClusterName, Ref, Resource, ResourceKind, Snapshot, World
from fairway.gateway.translate import clusters, ports
from fairway.gateway.translate.actions import NOWHERE, Writer
from fairway.gateway.translate.tables import Plan, http_table, https_table


class Site(NamedTuple):
    """Listeners that share their addresses. `binds` says where each port is bound."""

    name: str
    listeners: tuple[Listening, ...]
    binds: dict[int, tuple[str, ...]]


class Draft:
    """Sites and balancers go in, a snapshot comes out."""

    def __init__(self, world: World, resolver: Resolver) -> None:
        self._place = world.place
        self._resolver = resolver
        self._writer = Writer(resolver)
        self._held: dict[ResourceKind, dict[str, Resource]] = {
            "listeners": {},
            "routes": {},
            "clusters": {},
            "endpoints": {},
            "secrets": {},
        }
        self._origin: dict[str, set[Ref]] = {}

    def site(self, site: Site, attached: Iterable[Attached]) -> None:
        """The listeners of a site and the tables behind them."""
        attached = list(attached)
        ordered = sorted(site.listeners, key=lambda each: (each.port, each.gateway, each.name))
        for port, group in groupby(ordered, key=lambda each: each.port):
            listeners = list(group)
            binds = [(address, port) for address in site.binds.get(port, ())]
            if not binds:
                continue
            name = f"{site.name}_{port}"
            if listeners[0].protocol == "HTTPS":
                self._https(name, binds, listeners, attached)
            else:
                self._table(http_table(name, port, attached, listeners))
                resource = ports.http_listener(name, binds, name, self._place)
                self._put("listeners", resource, {each.gateway for each in listeners})

    def _https(
        self, name: str, binds: ports.Binds, listeners: list[Listening], attached: list[Attached]
    ) -> None:
        chains = []
        for each in listeners:
            table = f"{name}_{ports.plain_name(each.name)}"
            self._table(https_table(table, each, attached, listeners))
            for ref, pair in each.secrets:
                secret = ports.secret(f"tls_{ports.file_name(ref)}", pair)
                self._put("secrets", secret, {ref, each.gateway})
            held = tuple(f"tls_{ports.file_name(ref)}" for ref, _ in each.secrets)
            client = f"ca_{table}" if each.client else ""
            if each.client:
                self._put("secrets", ports.authorities(client, each.client), {each.gateway})
            optional = each.client is not None and each.client.optional
            chains.append(ports.Chain(each.hostname, table, held, client, optional))
        resource = ports.https_listener(name, binds, chains, self._place)
        self._put("listeners", resource, {each.gateway for each in listeners})

    def _table(self, plan: Plan) -> None:
        table = plan.write(self._writer)
        self._put("routes", table.resource, table.owners)

    def balancer(self, balancer: Balancer, addresses: Iterable[str]) -> None:
        """The ports of a Service of type LoadBalancer."""
        addresses = list(addresses)
        ref = balancer.ref
        if bad_ranges(balancer.spec):
            return
        for port in balancer.ports if addresses else ():
            version = balancer.spec.version
            cluster = ClusterName("tcp", ref.namespace, ref.name, port.port, version)
            self._writer.clusters.setdefault(cluster, set()).add(ref)
            name = f"lb_{ports.file_name(ref)}_{port.port}"
            ranges = tuple(each.strip() for each in balancer.spec.source_ranges)
            binds = [(address, port.port) for address in addresses]
            tcp = ports.Tcp(str(cluster), ranges)
            self._put("listeners", ports.tcp_listener(name, binds, tcp), {ref})

    def done(self) -> tuple[Snapshot, dict[str, frozenset[Ref]]]:
        """The snapshot, with the clusters that its routes need, and whose each resource is."""
        for name, owners in sorted(self._writer.clusters.items()):
            whose = {*owners, Ref("Service", name.namespace, name.service)}
            cluster = clusters.cluster(name, self._resolver, self._place.folder)
            self._put("clusters", cluster, whose)
            found = clusters.endpoints(name, self._resolver.services.endpoints(name))
            self._held["endpoints"][str(name)] = found
            self._origin[f"endpoints/{name}"] = whose
        self._held["clusters"][NOWHERE] = clusters.nowhere()
        origin = {key: frozenset(refs) for key, refs in self._origin.items()}
        return Snapshot(**self._held), origin

    def _put(self, kind: ResourceKind, resource: Resource, whose: Iterable[Ref]) -> None:
        name = resource["name"]
        self._held[kind][name] = resource
        self._origin.setdefault(f"{kind}/{name}", set()).update(whose)
