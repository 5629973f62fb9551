"""Which Services are spoken to with TLS, and what their policies' statuses say."""

from __future__ import annotations

from typing import Any

import pytest
from gatewayworld import composed, manifests, pair, parent, service, statuses, verdicts

from fairway.gateway.snapshot import Composed, Ref

OBJECTS = """
kind: Gateway
metadata: {name: g}
spec: {gatewayClassName: fairway, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: g}]
  rules: [{backendRefs: [{name: web, port: 443}]}]
"""
POLICY = """
kind: BackendTLSPolicy
metadata: {name: NAME}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  validation: {hostname: web.com, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}
"""
BUNDLE = {"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "shop"}}


def policy(name: str = "p", section: str = "", **validation: Any) -> dict[str, Any]:
    found = manifests(POLICY.replace("NAME", name))[0]
    if section:
        found["spec"]["targetRefs"][0]["sectionName"] = section
    found["spec"]["validation"] |= validation
    return found


def world(*objects: dict[str, Any], protocol: str = "HTTPS") -> Composed:
    bundle = BUNDLE | {"data": {"ca.crt": pair(("ca.com",))[0]}}
    web = service("web", port=443, protocol=protocol)
    return composed([*manifests(OBJECTS), *web, bundle, *objects])


def conditions(found: Composed, name: str = "p") -> dict[str, str]:
    (ancestor,) = statuses(found, "BackendTLSPolicy", name)["ancestors"]
    assert ancestor["ancestorRef"]["name"] == "g"
    return verdicts(ancestor["conditions"])


def tls(found: Composed) -> dict[str, Any]:
    socket = found.snapshot.clusters["http_shop_web_443_-"]["transport_socket"]
    config: dict[str, Any] = socket["typed_config"]
    return config


GOOD = {"Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"}


def test_a_policy_makes_the_gateway_speak_tls_and_believe_one_name_only() -> None:
    found = world(policy())
    assert conditions(found) == GOOD
    assert parent(found, "r") == GOOD
    config = tls(found)
    assert config["sni"] == "web.com"
    context = config["common_tls_context"]["validation_context"]
    assert context["trusted_ca"]["inline_string"].startswith("-----BEGIN CERTIFICATE")
    assert context["match_typed_subject_alt_names"] == [
        {"san_type": "DNS", "matcher": {"exact": "web.com"}}
    ]


def test_given_names_stand_in_for_the_hostname() -> None:
    names = [{"type": "Hostname", "hostname": "*.a.com"}, {"type": "URI", "uri": "spiffe://x/y"}]
    context = tls(world(policy(subjectAltNames=names)))["common_tls_context"]["validation_context"]
    assert context["match_typed_subject_alt_names"] == [
        {"san_type": "DNS", "matcher": {"suffix": ".a.com"}},
        {"san_type": "URI", "matcher": {"exact": "spiffe://x/y"}},
    ]


def test_the_system_s_authorities_can_be_believed() -> None:
    found = world(policy(caCertificateRefs=None, wellKnownCACertificates="System"))
    context = tls(found)["common_tls_context"]["validation_context"]
    assert context["trusted_ca"] == {"filename": "/etc/ssl/certs/ca-certificates.crt"}


@pytest.mark.parametrize(
    ("validation", "accepted", "resolved"),
    [
        (
            {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "gone"}]},
            "False NoValidCACertificate",
            "False InvalidCACertificateRef",
        ),
        (
            {"caCertificateRefs": [{"group": "x.io", "kind": "Thing", "name": "ca"}]},
            "False NoValidCACertificate",
            "False InvalidKind",
        ),
        (
            {"caCertificateRefs": None, "wellKnownCACertificates": "Odd"},
            "False Invalid",
            "True ResolvedRefs",
        ),
        ({"hostname": "*.a.com"}, "False Invalid", "True ResolvedRefs"),
        (
            {"subjectAltNames": [{"type": "Email"}]},
            "False Invalid",
            "True ResolvedRefs",
        ),
    ],
)
def test_a_policy_that_cannot_be_obeyed_closes_its_service(
    validation: dict[str, Any], accepted: str, resolved: str
) -> None:
    found = world(policy(**validation))
    assert conditions(found) == {"Accepted": accepted, "ResolvedRefs": resolved}
    assert parent(found, "r")["ResolvedRefs"] == "False UnsupportedProtocol"
    hosts = found.snapshot.routes["gw_shop_g_80"]["virtual_hosts"]
    assert hosts[0]["routes"][0]["direct_response"] == {"status": 500}


def test_a_service_that_speaks_tls_needs_a_policy() -> None:
    assert parent(world(), "r")["ResolvedRefs"] == "False UnsupportedProtocol"
    assert parent(world(protocol="http"), "r") == GOOD


def test_of_two_policies_the_older_holds_and_one_for_the_port_goes_before() -> None:
    found = world(policy("old"), policy("young", hostname="young.com"))
    assert conditions(found, "young")["Accepted"] == "False Conflicted"
    assert tls(found)["sni"] == "web.com"
    found = world(policy("old"), policy("port", "web", hostname="port.com"))
    assert conditions(found, "port") == conditions(found, "old") == GOOD
    assert tls(found)["sni"] == "port.com"
    found = world(policy("other", "metrics"))
    assert "http_shop_web_443_-" not in found.snapshot.clusters


def test_a_policy_that_no_route_leads_to_is_not_ours_to_judge() -> None:
    one = policy()
    one["spec"]["targetRefs"][0]["name"] = "elsewhere"
    assert Ref("BackendTLSPolicy", "shop", "p") not in world(one).statuses
