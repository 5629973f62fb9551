"""Route tables: all that is attached at a port, by hostname and in order of precedence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fairway.gateway.attach import Attached
from fairway.gateway.hostnames import closest, specificity, wider
from fairway.gateway.listeners import Listening
from fairway.gateway.objects.meta import by_age
from fairway.gateway.snapshot import Ref
from fairway.gateway.translate.actions import Place, Writer
from fairway.gateway.translate.matching import rank

_MISDIRECTED = {
    "name": "misdirected",
    "match": {"prefix": "/"},
    "direct_response": {"status": 421},
}


Hosted = list[tuple[str, list[Attached]]]  # by the hostname under which they are attached


class Table(NamedTuple):
    """A RouteConfiguration and whose it is."""

    resource: dict[str, Any]
    owners: frozenset[Ref]


def http_table(
    name: str, port: int, attached: Iterable[Attached], listeners: list[Listening]
) -> Plan:
    """The table of all HTTP listeners of a port: a request goes to the listener with the most
    specific hostname, and to no other one (listener isolation)."""
    plan = Plan(name, port, "http")
    for listener in listeners:
        plan.add(listener, attached, listeners)
    return plan


def https_table(
    name: str, one: Listening, attached: Iterable[Attached], listeners: list[Listening]
) -> Plan:
    """The table of one HTTPS listener, which its server name (SNI) has chosen. What belongs to
    another listener of the port was misdirected there: 421 (Listener.hostname of the API)."""
    plan = Plan(name, one.port, "https")
    plan.add(one, attached, listeners)
    plan.misdirected = [each.hostname for each in listeners if each is not one]
    return plan


class Plan:
    """Which attachments each hostname has, before they are written."""

    def __init__(self, name: str, port: int, scheme: str) -> None:
        self._name = name
        self._port = port
        self._scheme = scheme
        self.hosts: dict[str, Hosted] = {}
        self.misdirected: list[str] = []

    def add(self, one: Listening, all_: Iterable[Attached], listeners: list[Listening]) -> None:
        """A listener with what is attached to it: the hostnames of its routes and its own, which
        answers 404 to the rest; those only for which no other listener is closer."""
        mine: dict[tuple[Ref, tuple[str, ...]], Attached] = {}
        for each in all_:
            if each.listener is one:  # an Ingress is one route for each of its hosts
                mine.setdefault((each.route.ref, each.route.hostnames), each)
        found = {one.hostname} | {name for each in mine.values() for name in each.hostnames}
        taken = [each.hostname for each in listeners]
        by_name: dict[str, list[Attached]] = {}
        for each in mine.values():
            for name in each.hostnames:
                by_name.setdefault(name, []).append(each)
        for domain in found:
            if closest(domain, taken) == one.hostname:
                self.hosts[domain] = [(name, by_name.get(name, [])) for name in wider(domain)]

    def write(self, writer: Writer) -> Table:
        """The resource."""
        hosts = [self._host(domain, found, writer) for domain, found in sorted(self.hosts.items())]
        hosts += [_virtual(domain, [_MISDIRECTED]) for domain in sorted(self.misdirected)]
        owners = {
            each.route.ref
            for hosted in self.hosts.values()
            for _, attached in hosted
            for each in attached
        }
        resource = {
            "name": self._name,
            "virtual_hosts": hosts,
            "ignore_port_in_host_matching": True,
            "most_specific_header_mutations_wins": True,
        }
        return Table(resource, frozenset(owners))

    def _host(self, domain: str, hosted: Hosted, writer: Writer) -> dict[str, Any]:
        place = Place(domain or "*", self._port, self._scheme)
        routes = []
        for each, rule, number in _ordered(hosted):
            route = each.route
            routes += writer.routes(route, route.rules[rule], number, place)
        return _virtual(domain, routes)


def _virtual(domain: str, routes: list[dict[str, Any]]) -> dict[str, Any]:
    name = domain or "*"
    return {"name": name, "domains": [name], "routes": routes}


def _ordered(hosted: Hosted) -> list[tuple[Attached, int, int]]:
    """The matches that can apply to a hostname, first come first: by the specificity of the route's
    own hostname, by the match, by the route's age and name, and as they are written."""
    found = []
    seen: set[int] = set()
    for name, attached in hosted:  # the most specific hostname of a route comes first
        own = specificity(name)
        for each in attached:
            if id(each) in seen:
                continue
            seen.add(id(each))
            for rule_index, rule in enumerate(each.route.rules):
                for number, match in enumerate(rule.matches):
                    place = ((-own[0], -own[1]), rank(match), by_age(each.route.meta))
                    found.append(((*place, rule_index, number), each, rule_index, number))
    found.sort(key=lambda entry: entry[0])
    return [(each, rule, number) for _, each, rule, number in found]
