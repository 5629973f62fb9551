"""What the status of a Gateway and of its listeners says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from gatewayworld import composed, listener, manifests, pair, secret, statuses, verdicts

from fairway.gateway.features import FEATURES
from fairway.gateway.snapshot import Ref

PLAIN = """
kind: Gateway
metadata: {name: g}
spec: {gatewayClassName: fairway, listeners: []}
"""


def gateway(*listeners: dict[str, Any], name: str = "g", **spec: Any) -> dict[str, Any]:
    found = copy.deepcopy(manifests(PLAIN)[0])
    found["metadata"]["name"] = name
    base = {"port": 80, "protocol": "HTTP"}
    found["spec"]["listeners"] = [
        base | {"name": f"l{number}"} | each for number, each in enumerate(listeners)
    ]
    found["spec"] |= spec
    return found


def https(*names: str, **more: Any) -> dict[str, Any]:
    refs = [{"name": name} for name in names]
    return {"port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": refs}} | more


def test_a_class_of_ours_is_accepted_with_the_declared_features() -> None:
    status = statuses(composed([]), "GatewayClass", "fairway")
    assert verdicts(status["conditions"]) == {"Accepted": "True Accepted"}
    assert [each["name"] for each in status["supportedFeatures"]] == list(FEATURES)


def test_a_class_of_another_controller_and_its_gateways_are_not_ours() -> None:
    other = manifests("kind: GatewayClass\nmetadata: {name: x}\nspec: {controllerName: x.io/y}")
    one = gateway({}, gatewayClassName="x")
    assert set(composed([*other, one]).statuses) == {Ref("GatewayClass", "", "fairway")}


def test_a_gateway_has_an_address_and_is_programmed() -> None:
    status = statuses(composed([gateway({})]), "Gateway", "g")
    assert status["addresses"] == [{"type": "IPAddress", "value": "10.111.0.1"}]
    assert verdicts(status["conditions"]) == {
        "Accepted": "True Accepted",
        "Programmed": "True Programmed",
    }
    kinds = [each["kind"] for each in status["listeners"][0]["supportedKinds"]]
    assert kinds == ["HTTPRoute", "GRPCRoute"]


def test_conditions_speak_of_the_generation_that_was_seen() -> None:
    one = gateway({})
    one["metadata"]["generation"] = 7
    status = statuses(composed([one]), "Gateway", "g")
    all_ = [*status["conditions"], *status["listeners"][0]["conditions"]]
    assert {each["observedGeneration"] for each in all_} == {7}


@pytest.mark.parametrize(
    ("listeners", "accepted", "programmed"),
    [
        ([{"protocol": "TCP"}], "False ListenersNotValid", "False Invalid"),
        ([{"protocol": "UDP"}, {}], "True ListenersNotValid", "True Programmed"),
        ([{}, {"hostname": "a.com"}], "True Accepted", "True Programmed"),
        ([{}, {}], "False ListenersNotValid", "False Invalid"),
    ],
)
def test_bad_listeners_spoil_the_gateway_only_when_none_is_left(
    listeners: list[dict[str, Any]], accepted: str, programmed: str
) -> None:
    found = verdicts(statuses(composed([gateway(*listeners)]), "Gateway", "g")["conditions"])
    assert found == {"Accepted": accepted, "Programmed": programmed}


@pytest.mark.parametrize(
    ("listeners", "reason"),
    [
        ([{}, {}], "HostnameConflict"),
        ([{"hostname": "a.com"}, {"hostname": "a.com"}], "HostnameConflict"),
        ([{"port": 443}, https("cert")], "ProtocolConflict"),
    ],
)
def test_listeners_that_cannot_be_told_apart_are_all_conflicted(
    listeners: list[dict[str, Any]], reason: str
) -> None:
    found = composed([gateway(*listeners), secret("cert", "a.com")])
    for name in ("l0", "l1"):
        conditions = listener(found, "g", name)
        assert conditions["Conflicted"] == f"True {reason}"
        assert conditions["Accepted"] == f"False {reason}"
        assert conditions["Programmed"] == "False Invalid"
    assert not found.snapshot.listeners


def test_overlapping_hostnames_of_https_listeners_are_pointed_out() -> None:
    listeners = [https("cert", hostname=name) for name in ("*.a.com", "x.a.com", "b.com")]
    found = composed([gateway(*listeners), secret("cert", "a.com")])
    seen = [listener(found, "g", f"l{number}").get("OverlappingTLSConfig") for number in range(3)]
    assert seen == ["True OverlappingHostnames", "True OverlappingHostnames", None]


@pytest.mark.parametrize(
    ("refs", "reason"),
    [
        ([{"name": "gone"}], "InvalidCertificateRef"),
        ([{"name": "cert", "kind": "Other", "group": "x.io"}], "InvalidCertificateRef"),
        ([{"name": "broken"}], "InvalidCertificateRef"),
        ([{"name": "opaque"}], "InvalidCertificateRef"),
        ([{"name": "mixed"}], "InvalidCertificateRef"),
        ([{"name": "cert", "namespace": "other"}], "RefNotPermitted"),
        ([], "InvalidCertificateRef"),
    ],
)
def test_certificates_that_cannot_be_used_are_named(
    refs: list[dict[str, str]], reason: str
) -> None:
    broken, opaque, mixed = (secret(name, "a.com") for name in ("broken", "opaque", "mixed"))
    broken["data"] = broken["data"] | {"tls.crt": "bm8="}
    opaque["type"] = "Opaque"
    mixed["data"] = mixed["data"] | {"tls.key": secret("x", "other.com")["data"]["tls.key"]}
    objects = [secret("cert", "a.com", namespace="other"), broken, opaque, mixed]
    found = composed([gateway(https(tls={"certificateRefs": refs})), *objects])
    conditions = listener(found, "g", "l0")
    assert conditions["ResolvedRefs"] == f"False {reason}"
    assert conditions["Accepted"] == "True Accepted"
    assert conditions["Programmed"] == "False Invalid"


def test_a_grant_opens_a_secret_of_another_namespace() -> None:
    grant = manifests(
        """
kind: ReferenceGrant
metadata: {name: x, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}]
  to: [{group: "", kind: Secret, name: cert}]
"""
    )
    one = gateway(https(tls={"certificateRefs": [{"name": "cert", "namespace": "other"}]}))
    found = composed([one, secret("cert", "a.com", namespace="other"), *grant])
    assert listener(found, "g", "l0")["ResolvedRefs"] == "True ResolvedRefs"
    assert list(found.snapshot.secrets) == ["tls_other_cert"]


def test_one_good_certificate_is_enough_to_serve() -> None:
    found = composed([gateway(https("gone", "cert")), secret("cert", "a.com")])
    conditions = listener(found, "g", "l0")
    assert conditions["ResolvedRefs"] == "False InvalidCertificateRef"
    assert conditions["Programmed"] == "True Programmed"


@pytest.mark.parametrize(
    ("ref", "accepted", "resolved"),
    [
        ({"name": "ca"}, "True Accepted", "True ResolvedRefs"),
        ({"name": "gone"}, "False NoValidCACertificate", "False InvalidCACertificateRef"),
        (
            {"name": "ca", "kind": "Thing", "group": "x.io"},
            "False NoValidCACertificate",
            "False InvalidCACertificateKind",
        ),
        (
            {"name": "ca", "namespace": "other"},
            "False NoValidCACertificate",
            "False RefNotPermitted",
        ),
    ],
)
def test_authorities_for_clients_must_be_there(
    ref: dict[str, str], accepted: str, resolved: str
) -> None:
    bundle = {"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "shop"}}
    bundle["data"] = {"ca.crt": pair(("ca.com",))[0]}  # type: ignore[assignment]
    refs = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap"} | ref]}
    one = gateway(https("cert"), tls={"frontend": {"default": {"validation": refs}}})
    conditions = listener(composed([one, bundle, secret("cert", "a.com")]), "g", "l0")
    assert (conditions["Accepted"], conditions["ResolvedRefs"]) == (accepted, resolved)


def test_routes_of_unknown_kinds_are_refused_and_the_known_ones_shown() -> None:
    kinds = [{"kind": "HTTPRoute"}, {"kind": "TLSRoute"}]
    found = composed([gateway({"allowedRoutes": {"kinds": kinds}})])
    assert listener(found, "g", "l0")["ResolvedRefs"] == "False InvalidRouteKinds"
    shown = statuses(found, "Gateway", "g")["listeners"][0]["supportedKinds"]
    assert [each["kind"] for each in shown] == ["HTTPRoute"]


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        ({"addresses": [{"type": "x.io/y", "value": "z"}]}, "False UnsupportedAddress"),
        ({"addresses": [{"type": "Hostname", "value": "a.com"}]}, "False UnsupportedAddress"),
        (
            {"infrastructure": {"parametersRef": {"group": "x", "kind": "y", "name": "z"}}},
            "False InvalidParameters",
        ),
    ],
)
def test_what_a_gateway_may_not_ask_for(spec: dict[str, Any], accepted: str) -> None:
    conditions = statuses(composed([gateway({}, **spec)]), "Gateway", "g")["conditions"]
    assert verdicts(conditions)["Accepted"] == accepted


def test_fixed_addresses_are_given_or_named_as_unusable() -> None:
    asked = [{"value": "192.0.2.1"}, {"value": "10.111.0.77"}]
    found = statuses(composed([gateway({}, addresses=asked)]), "Gateway", "g")
    assert verdicts(found["conditions"]) == {
        "Accepted": "True Accepted",
        "Programmed": "False AddressNotUsable",
    }
    assert [each["value"] for each in found["addresses"]] == ["10.111.0.77"]


def test_where_there_is_no_range_gateways_share_addresses_and_the_older_one_wins() -> None:
    objects = [gateway({"hostname": "a.com"}, name=name) for name in ("old", "new")]
    found = composed(objects, addresses="", published=("192.0.2.9",), binds=("0.0.0.0",))
    assert listener(found, "old", "l0")["Programmed"] == "True Programmed"
    assert listener(found, "new", "l0")["Conflicted"] == "True HostnameConflict"
    assert list(found.snapshot.listeners) == ["shared_80"]
    assert statuses(found, "Gateway", "old")["addresses"][0]["value"] == "192.0.2.9"


def test_the_own_gateway_is_bound_on_this_machine_as_well() -> None:
    place = {"own": "shop/g", "own_binds": ("127.0.0.1",)}
    found = composed([gateway({"port": 8080}), gateway({}, name="other")], **place)
    bound = found.snapshot.listeners["gw_shop_g_8080"]
    addresses = [bound["address"], *(each["address"] for each in bound["additional_addresses"])]
    assert [each["socket_address"]["address"] for each in addresses] == ["10.111.0.1", "127.0.0.1"]
    assert "additional_addresses" not in found.snapshot.listeners["gw_shop_other_80"]


def test_letting_clients_in_without_a_valid_certificate_is_pointed_out() -> None:
    bundle = {"kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "shop"}}
    bundle["data"] = {"ca.crt": pair(("ca.com",))[0]}  # type: ignore[assignment]
    found = {}
    for mode in ("AllowValidOnly", "AllowInsecureFallback"):
        refs = [{"group": "", "kind": "ConfigMap", "name": "ca"}]
        validation = {"caCertificateRefs": refs, "mode": mode}
        one = gateway(https("cert"), tls={"frontend": {"default": {"validation": validation}}})
        state = statuses(composed([one, bundle, secret("cert", "a.com")]), "Gateway", "g")
        found[mode] = verdicts(state["conditions"]).get("InsecureFrontendValidationMode")
    assert found == {
        "AllowValidOnly": None,
        "AllowInsecureFallback": "True ConfigurationChanged",
    }
