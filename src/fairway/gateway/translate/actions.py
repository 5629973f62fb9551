"""What is done with a request that matches a rule: Envoy's routes for one match."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fairway.gateway.backends import Resolver, Unresolved
from fairway.gateway.objects.route import PathMatch, Redirect
from fairway.gateway.objects.values import seconds
from fairway.gateway.rules import Filters, Match, Route, Rule, Session
from fairway.gateway.snapshot import ClusterName, Ref
from fairway.gateway.translate import policies
from fairway.gateway.translate.edits import header_edits, host_set, path_redirect, path_rewrite
from fairway.gateway.translate.matching import route_match

# A cluster without endpoints: what goes there has been answered by the fault filter before.
NOWHERE: Final = "fairway-nowhere"
_STATUS: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_WELL_KNOWN: Final = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where a route is: the hostname (of Envoy's virtual host), the port and the scheme."""

    domain: str
    port: int
    scheme: str


class Writer:
    """Writes routes, and remembers which clusters they need and for whom."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.clusters: dict[ClusterName, set[Ref]] = {}

    def routes(self, route: Route, rule: Rule, number: int, place: Place) -> list[dict[str, Any]]:
        """Envoy's routes for one match of a rule, in the order in which they must be tried."""
        match = rule.matches[number]
        ref = route.ref
        name = f"{ref.kind}/{ref.namespace}/{ref.name}/{rule.index}/{number}"
        base = {"name": name, "match": route_match(match), **header_edits(rule.filters)}
        filters = policies.cors(rule.filters.cors) if rule.filters.cors else {}
        if rule.filters.redirect and not rule.broken:
            redirect = _redirect(rule.filters.redirect, match, place)
            return [base | {"redirect": redirect} | _per_filter(filters)]
        shares = [] if rule.broken else self._shares(route, rule)
        action = self._action(route, rule, match)
        if rule.session:
            filters |= policies.session(rule.session)
        base |= _per_filter(filters)
        if any(share.cluster and share.weight for share in shares):
            main = base | {"route": action | _target(shares, rule.session, route)}
        else:
            main = base | {"direct_response": {"status": route.unserved}}
        return [*self._stay(base, action, rule, shares), main]

    def _shares(self, route: Route, rule: Rule) -> list[_Share]:
        found = []
        for share in rule.shares:
            cluster = self._resolver.resolve(route.ref, share.ref, mirror=False)
            if isinstance(cluster, Unresolved):
                found.append(_Share(None, share.weight, share.filters, alive=False))
                continue
            self._use(cluster, route.ref)
            alive = bool(rule.session and self._resolver.services.endpoints(cluster))
            found.append(_Share(cluster, share.weight, share.filters, alive))
        return found

    def _use(self, cluster: ClusterName, ref: Ref) -> None:
        self.clusters.setdefault(cluster, set()).add(ref)

    def _action(self, route: Route, rule: Rule, match: Match) -> dict[str, Any]:
        action: dict[str, Any] = {
            "timeout": _timeout(rule),
            "retry_policy": policies.retry_policy(rule.retry, rule.try_timeout),
        }
        rewrite = rule.filters.rewrite
        if host := (rewrite.hostname if rewrite else "") or host_set(rule.filters):
            action["host_rewrite_literal"] = host
        action |= path_rewrite(rewrite.path if rewrite else None, _prefix(match.path))
        mirrors = []
        for mirror in rule.filters.mirrors:
            cluster = self._resolver.resolve(route.ref, mirror.backend_ref, mirror=True)
            if isinstance(cluster, ClusterName) and mirror.fraction and mirror.fraction.numerator:
                self._use(cluster, route.ref)
                mirrors.append(policies.mirror_policy(cluster, mirror.fraction))
        return action | ({"request_mirror_policies": mirrors} if mirrors else {})

    def _stay(
        self, base: dict[str, Any], action: dict[str, Any], rule: Rule, shares: list[_Share]
    ) -> list[dict[str, Any]]:
        """Routes for clients that have a backend already: of several, and one that still lives."""
        found = []
        for share in shares if rule.session and _sticky(rule, shares) else ():
            if rule.session is None or share.cluster is None or not share.alive:
                continue
            match = dict(base["match"])
            cookie = policies.has_version(rule.session, share.cluster)
            match["headers"] = [*match.get("headers", []), cookie]
            only = share._replace(weight=1)
            target = _target([only], None, None)
            found.append(base | {"match": match, "route": action | target})
        return found


class _Share(NamedTuple):
    cluster: ClusterName | None  # None leads nowhere
    weight: int
    filters: Filters
    alive: bool


def _sticky(rule: Rule, shares: list[_Share]) -> bool:
    """Whether clients of a rule have to stay with one of several backends."""
    return rule.session is not None and not rule.session.header and len(shares) > 1


def _target(shares: list[_Share], session: Session | None, route: Route | None) -> dict[str, Any]:
    live = [share for share in shares if share.weight]
    several = len(shares) > 1
    if len(live) == 1 and live[0].cluster and not several and not _edited(live[0]):
        return {"cluster": str(live[0].cluster)}
    status = route.unserved if route else 500
    sticky = session if several and session and not session.header else None
    return {"weighted_clusters": {"clusters": [_weighted(each, sticky, status) for each in live]}}


def _edited(share: _Share) -> bool:
    return share.filters.request is not None or share.filters.response is not None


def _weighted(share: _Share, session: Session | None, status: int) -> dict[str, Any]:
    if share.cluster is None:
        nowhere = {"name": NOWHERE, "weight": share.weight}
        return nowhere | _per_filter(policies.fault(status))
    found: dict[str, Any] = {"name": str(share.cluster), "weight": share.weight}
    found |= header_edits(share.filters)
    if host := host_set(share.filters):
        found["host_rewrite_literal"] = host
    if session:
        added = found.get("response_headers_to_add", [])
        found["response_headers_to_add"] = [*added, policies.set_version(session, share.cluster)]
    return found


def _per_filter(filters: dict[str, Any]) -> dict[str, Any]:
    return {"typed_per_filter_config": filters} if filters else {}


def _timeout(rule: Rule) -> str:
    """Of the whole request; none unless asked for. Without retries of its own making, one try's
    timeout is the request's."""
    given = [each for each in (rule.timeout, rule.try_timeout) if each]
    if rule.retry is not None:
        given = [rule.timeout] if rule.timeout else []
    return seconds(min(given)) if given else "0s"


def _prefix(path: PathMatch) -> str:
    return path.value if path.type == "PathPrefix" else "/"


def _redirect(redirect: Redirect, match: Match, place: Place) -> dict[str, Any]:
    """Where to, with a port only where one is needed (HTTPRequestRedirectFilter.port)."""
    scheme = redirect.scheme or place.scheme
    port = redirect.port or (_WELL_KNOWN[redirect.scheme] if redirect.scheme else place.port)
    host = redirect.hostname or ("" if "*" in place.domain else place.domain)
    found: dict[str, Any] = {"response_code": _STATUS[redirect.status_code]}
    if redirect.scheme:
        found["scheme_redirect"] = redirect.scheme
    if host:
        found["host_redirect"] = host
    plain = _WELL_KNOWN[scheme] == port
    # Without a host of ours Envoy takes the client's with its port: right when that is ours to say.
    kept = plain and (host or place.port == _WELL_KNOWN[place.scheme])
    if not kept:
        found["port_redirect"] = port
    return found | path_redirect(redirect.path, _prefix(match.path))
