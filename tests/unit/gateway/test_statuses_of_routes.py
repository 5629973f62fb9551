"""What the status of a route says, and what it is attached to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from gatewayworld import composed, manifests, parent, service, statuses

from fairway.gateway.snapshot import Ref

GATEWAY = """
kind: Namespace
metadata: {name: friend, labels: {team: a}}
---
kind: Namespace
metadata: {name: stranger, labels: {team: b}}
---
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: fairway
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: named, port: 81, protocol: HTTP, hostname: "*.a.com"}
  - name: grpc
    port: 82
    protocol: HTTP
    allowedRoutes: {kinds: [{kind: GRPCRoute}]}
  - name: chosen
    port: 83
    protocol: HTTP
    allowedRoutes:
      namespaces: {from: Selector, selector: {matchLabels: {team: a}}}
  - name: all
    port: 84
    protocol: HTTP
    allowedRoutes: {namespaces: {from: All}}
"""
ROUTE = """
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: g}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
"""
REGEX = {"type": "RegularExpression"}
RULE = {"backendRefs": [{"name": "web", "port": 80}]}


def route(namespace: str = "shop", kind: str = "HTTPRoute", **spec: Any) -> dict[str, Any]:
    found = copy.deepcopy(manifests(ROUTE)[0])
    found["kind"] = kind
    found["metadata"]["namespace"] = namespace
    found["spec"] |= spec
    return found


def to(namespace: str = "shop", **ref: Any) -> list[dict[str, Any]]:
    return [{"name": "g", "namespace": namespace} | ref]


def judged(one: dict[str, Any], *more: dict[str, Any]) -> dict[str, str]:
    found = composed([*manifests(GATEWAY), *service("web"), *more, one])
    ref = Ref(one["kind"], one["metadata"]["namespace"], "r")
    conditions = found.statuses[ref]["parents"][0]["conditions"]
    return {each["type"]: f"{each['status']} {each['reason']}" for each in conditions}


GOOD = {"Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"}


def test_a_good_route_is_accepted() -> None:
    assert judged(route()) == GOOD


@pytest.mark.parametrize(
    ("one", "accepted"),
    [
        (route(parentRefs=to(sectionName="gone")), "False NoMatchingParent"),
        (route(parentRefs=to(port=99)), "False NoMatchingParent"),
        (route(parentRefs=to(sectionName="http", port=81)), "False NoMatchingParent"),
        (route(parentRefs=to(sectionName="http", port=80)), "True Accepted"),
        (route(parentRefs=to(sectionName="grpc")), "False NotAllowedByListeners"),
        (route("friend", parentRefs=to(sectionName="http")), "False NotAllowedByListeners"),
        (route("friend", parentRefs=to(sectionName="chosen")), "True Accepted"),
        (route("stranger", parentRefs=to(sectionName="chosen")), "False NotAllowedByListeners"),
        (route("stranger", parentRefs=to(sectionName="all")), "True Accepted"),
        (route("stranger", parentRefs=to()), "True Accepted"),
        (
            route(parentRefs=to(sectionName="named"), hostnames=["b.com", "a.com"]),
            "False NoMatchingListenerHostname",
        ),
        (route(parentRefs=to(sectionName="named"), hostnames=["x.a.com"]), "True Accepted"),
        (route(parentRefs=to(sectionName="named"), hostnames=["*.com"]), "True Accepted"),
    ],
)
def test_a_route_is_attached_where_it_may_be(one: dict[str, Any], accepted: str) -> None:
    assert judged(one)["Accepted"] == accepted


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"name": "gone", "port": 80}, "BackendNotFound"),
        ({"name": "web", "port": 81}, "BackendNotFound"),
        ({"name": "web", "port": 80, "kind": "Thing", "group": "x.io"}, "InvalidKind"),
        ({"name": "web", "port": 80, "namespace": "friend"}, "RefNotPermitted"),
        ({"name": "named", "port": 80}, "InvalidKind"),
        ({"name": "secure", "port": 80}, "UnsupportedProtocol"),
    ],
)
def test_references_that_lead_nowhere_are_named(ref: dict[str, Any], reason: str) -> None:
    more = [
        *service("named", type="ExternalName"),
        *service("secure", protocol="kubernetes.io/wss"),
        *service("web", namespace="friend"),
    ]
    found = judged(route(rules=[{"backendRefs": [ref]}]), *more)
    assert found == {"Accepted": "True Accepted", "ResolvedRefs": f"False {reason}"}


def test_a_grant_allows_its_kind_its_namespace_and_its_name_only() -> None:
    ref = {"name": "web", "port": 80, "namespace": "friend"}
    one = route(rules=[{"backendRefs": [ref]}])
    text = """
kind: ReferenceGrant
metadata: {{name: x, namespace: {namespace}}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: {kind}, namespace: shop}}]
  to: [{{group: "", kind: Service, name: {name}}}]
"""
    grants = [
        ("friend", "HTTPRoute", "web", True),
        ("friend", "HTTPRoute", '""', True),
        ("friend", "GRPCRoute", "web", False),
        ("friend", "HTTPRoute", "other", False),
        ("stranger", "HTTPRoute", "web", False),
    ]
    for namespace, kind, name, allowed in grants:
        grant = manifests(text.format(namespace=namespace, kind=kind, name=name))
        found = judged(one, *grant, *service("web", namespace="friend"))
        assert (found["ResolvedRefs"] == "True ResolvedRefs") is allowed


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"matches": [{"path": {"type": "RegularExpression", "value": "("}}]}, "UnsupportedValue"),
        (
            {"matches": [{"path": {"type": "RegularExpression", "value": "(?=x)"}}]},
            "UnsupportedValue",
        ),
        ({"matches": [{"path": {"type": "Odd", "value": "/"}}]}, "UnsupportedValue"),
        ({"matches": [{"method": "BREW"}]}, "UnsupportedValue"),
        ({"timeouts": {"request": "1s", "backendRequest": "2s"}}, "UnsupportedValue"),
        ({"timeouts": {"request": "soon"}}, "UnsupportedValue"),
        (
            {"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "x"}}]},
            "UnsupportedValue",
        ),
        (
            {
                "filters": [
                    {"type": "URLRewrite", "urlRewrite": {}},
                    {"type": "RequestRedirect", "requestRedirect": {}},
                ]
            },
            "IncompatibleFilters",
        ),
        (
            {"filters": [{"type": "RequestRedirect", "requestRedirect": {}}]},
            "IncompatibleFilters",
        ),
        (
            {
                "matches": [{"path": {"type": "Exact", "value": "/"}}],
                "filters": [
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {
                            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}
                        },
                    }
                ],
            },
            "UnsupportedValue",
        ),
        (
            {
                "sessionPersistence": {
                    "type": "Cookie",
                    "cookieConfig": {"lifetimeType": "Permanent"},
                }
            },
            "UnsupportedValue",
        ),
    ],
)
def test_a_rule_that_cannot_be_right_is_dropped_and_the_others_stand(
    rule: dict[str, Any], reason: str
) -> None:
    alone = judged(route(rules=[RULE | rule]))
    assert alone["Accepted"] == f"False {reason}"
    assert "PartiallyInvalid" not in alone
    both = judged(route(rules=[RULE, RULE | rule]))
    assert both == GOOD | {"PartiallyInvalid": "True UnsupportedValue"}


def test_a_grpc_and_an_http_route_do_not_share_a_hostname_and_the_older_one_stays() -> None:
    old, young = route(), route(kind="GRPCRoute")
    old["metadata"]["creationTimestamp"] = "2019-01-01T00:00:00Z"
    found = composed([*manifests(GATEWAY), *service("web"), young, old])
    assert parent(found, "r")["Accepted"] == "True Accepted"
    listeners = statuses(found, "Gateway", "g")["listeners"]
    assert {each["name"]: each["attachedRoutes"] for each in listeners} == {
        "http": 1,
        "named": 1,
        "grpc": 1,
        "chosen": 0,
        "all": 1,
    }
    apart = route(kind="GRPCRoute", hostnames=["grpc.com"], parentRefs=to(sectionName="http"))
    taken = route(hostnames=["http.com"], parentRefs=to(sectionName="http"))
    found = composed([*manifests(GATEWAY), *service("web"), apart, taken])
    assert parent(found, "r", "GRPCRoute")["Accepted"] == "True Accepted"
    shared = route(kind="GRPCRoute", parentRefs=to(sectionName="http"))
    found = composed([*manifests(GATEWAY), *service("web"), old, shared])
    assert parent(found, "r", "GRPCRoute")["Accepted"] == "False HostnameConflict"


def test_parents_of_others_are_not_ours_to_judge() -> None:
    one = route(parentRefs=[{"name": "elsewhere"}, {"name": "web", "kind": "Service", "group": ""}])
    found = composed([*manifests(GATEWAY), *service("web"), one])
    assert Ref("HTTPRoute", "shop", "r") not in found.statuses


def test_a_parent_is_shown_as_it_was_written() -> None:
    found = composed(
        [*manifests(GATEWAY), *service("web"), route(parentRefs=to(sectionName="http"))]
    )
    entry = statuses(found, "HTTPRoute", "r")["parents"][0]
    assert entry["controllerName"] == "fairway.dev/gateway-controller"
    assert entry["parentRef"] == {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": "g",
        "namespace": "shop",
        "sectionName": "http",
    }
