"""What Ingresses and Services of type LoadBalancer come to, and what their owners hear."""

from __future__ import annotations

from typing import Any

import pytest
from gatewayworld import composed, manifests, secret, service, statuses

from fairway.gateway.ingress_annotations import PREFIX, Canary, read_policy
from fairway.gateway.snapshot import Composed, Ref

OWN = """
kind: Gateway
metadata: {name: own}
spec:
  gatewayClassName: fairway
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
kind: IngressClass
metadata: {name: fairway}
spec: {controller: fairway.dev/ingress-controller}
---
kind: IngressClass
metadata: {name: other}
spec: {controller: x.io/y}
"""
INGRESS = """
kind: Ingress
metadata: {name: NAME}
spec:
  ingressClassName: fairway
  rules:
  - host: a.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
"""


def ingress(name: str = "i", annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    found = manifests(INGRESS.replace("NAME", name))[0]
    held = {f"{PREFIX}{key}": value for key, value in (annotations or {}).items()}
    found["metadata"]["annotations"] = held
    found["spec"] |= spec
    return found


def served(*objects: Any, **place: Any) -> Composed:
    settings = {"own": "shop/own", "own_binds": ("127.0.0.1",)} | place
    return composed([*manifests(OWN), *service("web"), *objects], **settings)


def heard(found: Composed) -> set[tuple[str, str]]:
    return {(each.ref.name, each.reason) for each in found.warnings}


def test_an_ingress_shows_the_own_gateway_s_address() -> None:
    found = served(ingress())
    assert statuses(found, "Ingress", "i") == {"loadBalancer": {"ingress": [{"ip": "10.111.0.1"}]}}
    assert set(found.snapshot.listeners) == {"gw_shop_own_80", "gw_shop_own_8080"}
    assert not found.warnings


def test_the_well_known_ports_are_bound_on_its_own_address_only() -> None:
    listeners = served(ingress()).snapshot.listeners
    assert "additional_addresses" not in listeners["gw_shop_own_80"]
    more = listeners["gw_shop_own_8080"]["additional_addresses"]
    assert more[0]["address"]["socket_address"]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "default", "ours"),
    [("fairway", "", True), ("other", "", False), ("", "", False), ("", "true", True)],
)
def test_only_ingresses_of_our_classes_are_served(name: str, default: str, ours: bool) -> None:
    objects = manifests(OWN)
    key = "ingressclass.kubernetes.io/is-default-class"
    objects[1]["metadata"]["annotations"] = {key: default}
    one = ingress(ingressClassName=name or None)
    found = composed([*objects, *service("web"), one], own="shop/own")
    assert (Ref("Ingress", "shop", "i") in found.statuses) is ours


def test_an_ingress_that_left_us_loses_our_address_and_no_other() -> None:
    left, foreign = (
        ingress("left", ingressClassName="other"),
        ingress("f", ingressClassName="other"),
    )
    left["status"] = {"loadBalancer": {"ingress": [{"ip": "10.111.0.1"}]}}
    foreign["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    found = served(left, foreign)
    assert statuses(found, "Ingress", "left") == {"loadBalancer": {}}
    assert Ref("Ingress", "shop", "f") not in found.statuses


def test_without_the_own_gateway_nothing_is_served_and_it_is_said() -> None:
    assert heard(served(ingress(), own="shop/none")) == {("i", "NoGateway")}


def test_what_is_not_understood_is_said() -> None:
    found = served(ingress(annotations={"proxy-body-size": "8m", "canary-weight": "5"}))
    assert heard(found) == {("i", "UnsupportedAnnotation")}
    assert "proxy-body-size" in found.warnings[0].message
    found = served(ingress(tls=[{"hosts": ["a.com"], "secretName": "gone"}]))
    assert heard(found) == {("i", "BadCertificate")}


def test_a_tls_host_that_cannot_be_one_is_left_out_and_said() -> None:
    tls = [{"hosts": ["*", "a.com"], "secretName": "cert"}]
    found = served(ingress(tls=tls), secret("cert", "a.com"))
    assert heard(found) == {("i", "Invalid")}
    chains = found.snapshot.listeners["gw_shop_own_443"]["filter_chains"]
    assert [each["filter_chain_match"]["server_names"] for each in chains] == [["a.com"]]


def test_of_two_certificates_for_a_host_the_older_ingress_s_counts() -> None:
    tls = [{"hosts": ["a.com"], "secretName": name} for name in ("old", "new")]
    objects = [ingress("one", tls=tls[:1]), ingress("two", tls=tls[1:])]
    found = served(*objects, secret("old", "a.com"), secret("new", "a.com"))
    assert set(found.snapshot.secrets) == {"tls_shop_old"}


def test_a_canary_needs_its_main_ingress_and_the_oldest_counts() -> None:
    assert heard(served(ingress(annotations={"canary": "true"}))) == {("i", "NoMainIngress")}
    canaries = [ingress(name, {"canary": "true", "canary-weight": "5"}) for name in ("c1", "c2")]
    assert heard(served(ingress(), *canaries)) == {("c2", "SecondCanary")}
    stranger = ingress("c", {"canary": "true", "canary-weight": "5"})
    stranger["metadata"]["namespace"] = "elsewhere"
    assert heard(served(ingress(), stranger)) == {("c", "NoMainIngress")}


VALUED = Canary(header="X", value="v")


def policy(**annotations: str) -> Any:
    return read_policy({f"{PREFIX}{k.replace('_', '-')}": v for k, v in annotations.items()})


@pytest.mark.parametrize(
    ("annotations", "canary", "wrong"),
    [
        ({"canary_weight": "20"}, Canary(20), 0),
        ({"canary_weight": "20", "canary_weight_total": "50"}, Canary(20, 100), 0),
        ({"canary_weight": "20", "canary_weight_total": "1000"}, Canary(20, 1000), 0),
        ({"canary_weight": "200"}, Canary(100), 1),
        ({"canary_weight": "-1"}, Canary(), 1),
        ({"canary_by_header": "x y"}, Canary(), 1),
        ({"canary_by_header": "X", "canary_by_header_pattern": "("}, Canary(), 1),
        (
            {"canary_by_header": "X", "canary_by_header_value": "v"},
            Canary(header="X", value="v"),
            0,
        ),
    ],
)
def test_canaries_are_read_as_ingress_nginx_reads_them(
    annotations: dict[str, str], canary: Canary, wrong: int
) -> None:
    found = policy(canary="true", **annotations)
    assert (found.canary, len(found.wrong)) == (canary, wrong)


@pytest.mark.parametrize(
    "name",
    [
        "auth-url",
        "auth-tls-secret",
        "server-snippet",
        "whitelist-source-range",
        "limit-rps",
        "enable-modsecurity",
        "denylist-source-range",
        "ssl-passthrough",
        "satisfy",
    ],
)
def test_what_keeps_somebody_out_closes_the_ingress(name: str) -> None:
    assert policy(**{name: "x"}).closed == (name,)
    assert policy(**{name: "x"}).unknown == ()


BALANCER = {"type": "LoadBalancer"}


def test_a_balancer_is_a_tcp_listener_with_an_address_of_its_own() -> None:
    found = composed(service("web", port=5432, **BALANCER))
    listener = found.snapshot.listeners["lb_shop_web_5432"]
    assert listener["address"]["socket_address"] == {"address": "10.111.0.1", "port_value": 5432}
    entry = statuses(found, "Service", "web")["loadBalancer"]["ingress"][0]
    assert entry["ip"] == "10.111.0.1"
    assert entry["ports"] == [{"port": 5432, "protocol": "TCP"}]


def test_udp_is_refused_by_port_with_a_reason() -> None:
    udp, both = service("udp", **BALANCER), service("both", **BALANCER)
    udp[0]["spec"]["ports"] = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    both[0]["spec"]["ports"].append({"name": "dns", "port": 53, "protocol": "UDP"})
    found = composed([*udp, *both])
    assert statuses(found, "Service", "udp") == {"loadBalancer": {}}
    ports = statuses(found, "Service", "both")["loadBalancer"]["ingress"][0]["ports"]
    assert ports[1] == {"port": 53, "protocol": "UDP", "error": "fairway.dev/only-tcp"}
    assert heard(found) == {("udp", "UnsupportedProtocol"), ("both", "UnsupportedProtocol")}


def test_a_bad_source_range_closes_a_balancer_instead_of_opening_it() -> None:
    ranges = ["10.0.0.0/8", "everybody"]
    found = composed(service("web", loadBalancerSourceRanges=ranges, **BALANCER))
    assert not found.snapshot.listeners
    assert heard(found) == {("web", "BadSourceRange")}


def test_balancers_of_another_class_are_left_alone() -> None:
    found = composed(service("web", loadBalancerClass="x.io/y", **BALANCER))
    assert Ref("Service", "shop", "web") not in found.statuses
    assert not found.snapshot.listeners


def test_a_service_that_is_no_balancer_any_more_loses_our_address() -> None:
    objects = service("web")
    objects[0]["status"] = {"loadBalancer": {"ingress": [{"ip": "10.111.0.4"}]}}
    assert statuses(composed(objects), "Service", "web") == {"loadBalancer": {}}


def test_without_a_range_balancers_get_nothing_and_it_is_said() -> None:
    found = composed(service("web", **BALANCER), addresses="")
    assert heard(found) == {("web", "NoAddress")}
    assert statuses(found, "Service", "web") == {"loadBalancer": {}}
