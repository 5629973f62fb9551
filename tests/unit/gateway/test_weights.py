"""Shares of traffic, and that only what the objects hold decides."""

from __future__ import annotations

import random
from typing import Any

import pytest
from gatewaycases import EMPTY, GATEWAYS, INGRESSES, ROUTES
from gatewayworld import composed, manifests, secret, service
from hypothesis import given, settings
from hypothesis import strategies as st

GATEWAY = """
kind: Gateway
metadata: {name: g}
spec: {gatewayClassName: fairway, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
kind: HTTPRoute
metadata: {name: r}
spec: {parentRefs: [{name: g}], rules: []}
"""
SERVICES = [*service("a", version="11"), *service("b", version="22"), *service("c")]
CLUSTERS = {"a": "http_shop_a_80_11", "b": "http_shop_b_80_22", "c": "http_shop_c_80_-"}
weights = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "gone"]), st.integers(0, 1_000_000)),
    min_size=1,
    max_size=6,
)


def written(rule: dict[str, Any], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Envoy's routes of one rule."""
    gateway, route = manifests(GATEWAY)
    route["spec"]["rules"] = [rule]
    found = composed([gateway, route, *SERVICES, *more]).snapshot
    hosts = found.routes["gw_shop_g_80"]["virtual_hosts"]
    routes: list[dict[str, Any]] = hosts[0]["routes"]
    return routes


def shares(route: dict[str, Any]) -> dict[str, int]:
    """What each cluster gets."""
    if "cluster" in route.get("route", {}):
        return {route["route"]["cluster"]: 1}
    found: dict[str, int] = {}
    for each in route.get("route", {}).get("weighted_clusters", {}).get("clusters", ()):
        found[each["name"]] = found.get(each["name"], 0) + each["weight"]
    return found


@settings(max_examples=60, deadline=None)
@given(weights)
def test_each_backend_gets_its_weight_and_missing_ones_theirs(held: list[tuple[str, int]]) -> None:
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in held]
    (route,) = written({"backendRefs": refs})
    there = sum(weight for name, weight in held if name != "gone")
    if not there:
        assert route["direct_response"] == {"status": 500}
        return
    found = shares(route)
    if len(held) == 1:
        assert found == {CLUSTERS[held[0][0]]: 1}
        return
    assert sum(found.values()) == sum(weight for _, weight in held)
    for name, cluster in (CLUSTERS | {"gone": "fairway-nowhere"}).items():
        assert found.get(cluster, 0) == sum(weight for each, weight in held if each == name)


def test_what_is_missing_is_answered_within_its_share() -> None:
    refs = [{"name": name, "port": 80, "weight": 1} for name in ("a", "gone")]
    (route,) = written({"backendRefs": refs})
    nowhere = route["route"]["weighted_clusters"]["clusters"][1]
    abort = nowhere["typed_per_filter_config"]["envoy.filters.http.fault"]["abort"]
    assert abort == {"http_status": 500, "percentage": {"numerator": 100}}


SPLIT = [{"name": "a", "port": 80, "weight": 9}, {"name": "b", "port": 80, "weight": 1}]


def test_every_backend_sets_the_cookie_so_that_no_version_gathers_the_clients() -> None:
    *stay, split = written({"backendRefs": SPLIT, "sessionPersistence": {"sessionName": "s"}})
    cookies = {}
    for each in split["route"]["weighted_clusters"]["clusters"]:
        (added,) = each["response_headers_to_add"]
        cookies[each["name"]] = added["header"]["value"].split(";")[0]
    assert len(set(cookies.values())) == 2
    for route in stay:
        (cluster,) = shares(route)
        wanted = route["match"]["headers"][-1]["string_match"]["safe_regex"]["regex"]
        assert cookies[cluster].split("=")[1] in wanted


def test_a_session_ends_with_its_version() -> None:
    rule = {"backendRefs": SPLIT, "sessionPersistence": {"sessionName": "s"}}
    before = [route["match"] for route in written(rule)[:-1]]
    after = [route["match"] for route in written(rule, *service("b", version="33"))[:-1]]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_session_outlives_its_weight_but_not_its_endpoints() -> None:
    rule = {
        "backendRefs": [SPLIT[0], SPLIT[1] | {"weight": 0}],
        "sessionPersistence": {"sessionName": "s"},
    }
    assert [shares(route) for route in written(rule)] == [
        {CLUSTERS["a"]: 1},
        {CLUSTERS["b"]: 1},
        {CLUSTERS["a"]: 9},
    ]
    empty = service("b", (), version="44")
    rule["backendRefs"][1]["name"] = "empty"  # type: ignore[index]
    empty[0]["metadata"] = empty[0]["metadata"] | {"name": "empty"}
    assert [shares(route) for route in written(rule, *empty)] == [
        {CLUSTERS["a"]: 1},
        {CLUSTERS["a"]: 9},
    ]


def test_a_mirror_has_a_cluster_of_its_own() -> None:
    mirror = {
        "backendRef": {"name": "a", "port": 80},
        "fraction": {"numerator": 1, "denominator": 8},
    }
    filters = [{"type": "RequestMirror", "requestMirror": mirror}]
    (route,) = written({"backendRefs": SPLIT[:1], "filters": filters})
    (policy,) = route["route"]["request_mirror_policies"]
    assert policy["cluster"] == "mirror_shop_a_80_11"
    share = policy["runtime_fraction"]["default_value"]
    assert share == {"numerator": 125_000, "denominator": "MILLION"}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_objects_are_seen_decides_nothing(seed: int) -> None:
    objects = [each for text in (GATEWAYS, ROUTES, EMPTY, INGRESSES) for each in manifests(text)]
    objects += [*SERVICES, *service("db", type="LoadBalancer"), secret("cert", "secure.com")]
    for obj in objects:  # all of one age: names decide
        obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    mixed = list(objects)
    random.Random(seed).shuffle(mixed)
    first, second = composed(objects, own="shop/own"), composed(mixed, own="shop/own")
    assert second.snapshot == first.snapshot
    assert second.statuses == first.statuses
    assert second.addresses == first.addresses
    assert set(second.warnings) == set(first.warnings)
