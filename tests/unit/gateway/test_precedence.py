"""Which route a request takes: what Envoy would do with our table, against the specification read
directly (HTTPRouteRule.matches, Hostnames and Listeners of the Gateway API)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gatewayworld import composed, manifests, service
from hypothesis import given, settings
from hypothesis import strategies as st


class Request(NamedTuple):
    host: str
    path: str
    method: str
    headers: dict[str, str]
    query: dict[str, str]


# Envoy: the most specific virtual host, then the first route that matches.


def envoy_takes(table: dict[str, Any], request: Request) -> str:
    domains = {domain: each for each in table["virtual_hosts"] for domain in each["domains"]}
    found = domains.get(request.host)
    if found is None:
        wild = [d for d in domains if d.startswith("*.") and request.host.endswith(d[1:])]
        wild = [d for d in wild if len(request.host) > len(d) - 1]
        found = domains[max(wild, key=len)] if wild else domains.get("*")
    for route in (found or {"routes": []})["routes"]:
        if envoy_matches(route["match"], request):
            return str(route["name"]).rsplit("/", 1)[0]
    return "404"


def envoy_matches(match: dict[str, Any], request: Request) -> bool:
    path = request.path
    if "path" in match and path != match["path"]:
        return False
    if "prefix" in match and not path.startswith(match["prefix"]):
        return False
    if "path_separated_prefix" in match:
        prefix = match["path_separated_prefix"]
        if path != prefix and not path.startswith(prefix + "/"):
            return False
    if "safe_regex" in match and not re.fullmatch(match["safe_regex"]["regex"], path):
        return False
    headers = request.headers | {":method": request.method, ":authority": request.host}
    wanted = [(each, headers.get(each["name"].lower())) for each in match.get("headers", ())]
    wanted += [
        (each, request.query.get(each["name"])) for each in match.get("query_parameters", ())
    ]
    return all(value == each["string_match"]["exact"] for each, value in wanted)


# The specification, on the objects as they were written.


def spec_takes(gateway: dict[str, Any], routes: list[dict[str, Any]], request: Request) -> str:
    listeners = gateway["spec"]["listeners"]
    near = [each for each in listeners if covers((each.get("hostname") or ""), request.host)]
    if not near:
        return "404"
    listener = max(near, key=lambda each: weight(each.get("hostname") or ""))
    best: tuple[Any, str] | None = None
    for route in routes:
        names = route["spec"].get("hostnames") or [""]
        mine = [weight(name) for name in meets(names, listener.get("hostname") or "", request.host)]
        if not mine:
            continue
        meta = route["metadata"]
        for index, rule in enumerate(route["spec"]["rules"]):
            for place, match in enumerate(rule["matches"]):
                if not spec_matches(match, request):
                    continue
                kind, value = match["path"]["type"], match["path"]["value"].rstrip("/") or "/"
                key = (
                    [-part for part in max(mine)],
                    kind != "Exact",
                    -len(value) if kind == "PathPrefix" else 0,
                    "method" not in match,
                    -len(match.get("headers", ())),
                    -len(match.get("queryParams", ())),
                    meta["creationTimestamp"],
                    f"{meta['namespace']}/{meta['name']}",
                    index,
                    place,
                )
                name = f"HTTPRoute/{meta['namespace']}/{meta['name']}/{index}"
                if best is None or key < best[0]:
                    best = key, name
    return best[1] if best else "404"


def covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return pattern in ("", host)


def weight(name: str) -> tuple[int, int]:
    return (0 if "*" in name else len(name), len(name))


def meets(names: list[str], listener: str, host: str) -> list[str]:
    """The hostnames of a route that take a host at a listener: what both of them cover."""
    mine = [name for name in names if covers(name, host)]
    return [name if weight(name) > weight(listener) else listener for name in mine]


def spec_matches(match: dict[str, Any], request: Request) -> bool:
    kind, value = match["path"]["type"], match["path"]["value"]
    if kind == "Exact" and request.path != value:
        return False
    if kind == "PathPrefix":
        parts = [part for part in value.split("/") if part]
        if [part for part in request.path.split("/") if part][: len(parts)] != parts:
            return False
    if match.get("method", request.method) != request.method:
        return False
    pairs = [(each, request.headers) for each in match.get("headers", ())]
    pairs += [(each, request.query) for each in match.get("queryParams", ())]
    return all(held.get(each["name"]) == each["value"] for each, held in pairs)


HOSTS = ["a.com", "x.a.com", "y.x.a.com", "b.org"]
PATTERNS = ["", "a.com", "*.a.com", "x.a.com", "*.x.a.com", "*.com", "b.org"]
paths = st.sampled_from(["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b"])
values = st.lists(
    st.sampled_from(["k", "l", "m"]).map(lambda name: {"name": name, "value": "1"}),
    max_size=2,
    unique_by=lambda each: each["name"],
)
matches = st.fixed_dictionaries(
    {
        "path": st.fixed_dictionaries(
            {"type": st.sampled_from(["Exact", "PathPrefix"]), "value": paths}
        )
    },
    optional={
        "method": st.sampled_from(["GET", "POST"]),
        "headers": values,
        "queryParams": values,
    },
)
rules = st.lists(
    st.fixed_dictionaries({"matches": st.lists(matches, min_size=1, max_size=3)}),
    min_size=1,
    max_size=3,
)
hostnames = st.lists(st.sampled_from(PATTERNS[1:]), max_size=2, unique=True)
specs = st.fixed_dictionaries({"hostnames": hostnames, "rules": rules})
listeners = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4, unique=True)
requests = st.builds(
    Request,
    st.sampled_from(HOSTS),
    paths,
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(st.sampled_from(["k", "l", "m"]), st.just("1"), max_size=3),
    st.dictionaries(st.sampled_from(["k", "l", "m"]), st.just("1"), max_size=3),
)
ages = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])


@settings(max_examples=60, deadline=None)
@given(
    listeners,
    st.lists(st.tuples(ages, specs), min_size=1, max_size=4),
    st.lists(requests, min_size=5, max_size=10),
)
def test_envoy_takes_the_route_that_the_specification_names(
    names: list[str], found: list[tuple[str, dict[str, Any]]], asked: list[Request]
) -> None:
    gateway = manifests("kind: Gateway\nmetadata: {name: g}\nspec: {gatewayClassName: fairway}")[0]
    gateway["spec"]["listeners"] = [
        {"name": f"l{number}", "port": 80, "protocol": "HTTP"}
        | ({"hostname": name} if name else {})
        for number, name in enumerate(names)
    ]
    routes = []
    for number, (age, spec) in enumerate(found):
        route = manifests(f"kind: HTTPRoute\nmetadata: {{name: r{number}}}")[0]
        route["metadata"]["creationTimestamp"] = age
        backends = [{"name": "web", "port": 80}]
        written = [rule | {"backendRefs": backends} for rule in spec["rules"]]
        route["spec"] = spec | {"rules": written, "parentRefs": [{"name": "g"}]}
        routes.append(route)
    snapshot = composed([gateway, *routes, *service("web")]).snapshot
    table = snapshot.routes["gw_shop_g_80"]
    for request in asked:
        assert envoy_takes(table, request) == spec_takes(gateway, routes, request)
