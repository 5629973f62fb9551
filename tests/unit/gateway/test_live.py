"""Which weights are live: out of Envoy's routes, and out of a route's status."""

from __future__ import annotations

from typing import Any

from fairway.gateway.live import (
    CONDITION,
    Live,
    Share,
    by_route,
    live,
    message,
    told,
    with_condition,
)
from fairway.gateway.snapshot import CONTROLLER, ClusterName, Ref

WEB = Ref("HTTPRoute", "shop", "web")
STABLE = str(ClusterName("http", "shop", "web", 80, "6d4"))
CANARY = str(ClusterName("http", "shop", "web-canary", 80))
SPLIT = (Share("shop", "web", 80, 90, "6d4"), Share("shop", "web-canary", 80, 10))


def split(name: str, **weights: int) -> dict[str, Any]:
    clusters = [{"name": cluster, "weight": weight} for cluster, weight in weights.items()]
    return {"name": name, "route": {"weighted_clusters": {"clusters": clusters}}}


def config(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"name": "fw-80", "virtual_hosts": [{"name": "v", "routes": list(routes)}]}


def test_routes_are_found_by_the_object_that_their_name_says() -> None:
    mine = split("HTTPRoute/shop/web/0/0", **{STABLE: 90, CANARY: 10})
    found = by_route([config(mine, split("HTTPRoute/shop/other/0/0"), {"name": "x"}, {})])
    assert found[WEB] == [mine]


def test_each_rule_has_its_weights() -> None:
    routes = [
        split("HTTPRoute/shop/web/0/0", **{STABLE: 90, CANARY: 10}),
        split("HTTPRoute/shop/web/0/1", **{STABLE: 90, CANARY: 10}),
        {"name": "HTTPRoute/shop/web/1/0", "route": {"cluster": CANARY}},
        {"name": "HTTPRoute/shop/web/2/0", "redirect": {}},
    ]
    assert live(routes, "v1").rules == {
        0: SPLIT,
        1: (Share("shop", "web-canary", 80, 1),),
        2: (),
    }


def test_what_a_status_says_is_what_was_written() -> None:
    found = Live("ab12", {0: SPLIT, 1: (Share("shop", "web", 80, 1),)})
    status = {"parents": [parent("True")]}
    route = {"status": with_condition(status, found)}
    assert told(route) == Live(
        "ab12",
        {
            0: tuple(Share(s.namespace, s.service, s.port, s.weight) for s in SPLIT),
            1: (Share("shop", "web", 80, 1),),
        },
        4,
    )
    assert message(found).startswith("version ab12; rule 0: shop/web:80=90 shop/web-canary:80=10")


def parent(accepted: str, generation: int = 4) -> dict[str, Any]:
    said = {"type": "Accepted", "status": accepted, "observedGeneration": generation}
    return {"controllerName": CONTROLLER, "parentRef": {"name": "g"}, "conditions": [said]}


def test_nothing_is_live_where_no_parent_takes_the_route() -> None:
    route = {"status": with_condition({"parents": [parent("False")]}, Live("v", {}))}
    assert told(route) is None


def test_what_envoy_refused_is_not_live() -> None:
    status = with_condition({"parents": [parent("False")]}, Live("v", {}), "missing ]")
    said = status["parents"][0]["conditions"][-1]
    assert (said["type"], said["status"], said["reason"]) == (CONDITION, "False", "Rejected")
    assert told({"status": status}) is None


def test_of_two_parents_the_older_generation_counts() -> None:
    one = with_condition({"parents": [parent("True", 4)]}, Live("v1", {0: SPLIT}))["parents"]
    two = with_condition({"parents": [parent("True", 5)]}, Live("v2", {}))["parents"]
    found = told({"status": {"parents": [*two, *one]}})
    assert found is not None
    assert (found.generation, found.version) == (4, "v1")


def test_what_another_controller_says_is_not_ours() -> None:
    status = with_condition({"parents": [parent("True")]}, Live("v", {}))
    status["parents"][0]["controllerName"] = "example.com/other"
    assert told({"status": status}) is None
