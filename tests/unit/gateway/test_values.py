"""Durations, expressions, hostnames and endpoints, as their definitions say."""

from __future__ import annotations

import pytest

from fairway.gateway.hostnames import closest, covers, meet, wider
from fairway.gateway.objects.route import PathEdit
from fairway.gateway.objects.service import (
    Backend,
    Conditions,
    Endpoint,
    ServicePort,
    ServiceSpec,
    Slice,
    SlicePort,
    backends,
)
from fairway.gateway.objects.values import bad_regex, is_hostname, is_path, milliseconds, quote
from fairway.gateway.snapshot import ClusterName
from fairway.gateway.translate.edits import path_rewrite


@pytest.mark.parametrize(
    ("text", "found"),
    [("1h30m", 5_400_000), ("10s", 10_000), ("500ms", 500), ("1m1s1ms", 61_001), ("0s", 0)]
    + [(text, None) for text in ("", "1", "1.5s", "-1s", "1d", "1 s", "100000s", "1s1s1s1s1s")],
)
def test_durations(text: str, found: int | None) -> None:
    assert milliseconds(text) == found


@pytest.mark.parametrize(
    "text", ["/a[0-9]+", "(?i)x", "a{1000}", "(?P<n>a)", "[(){}]", "(a{9}b){9}", r"\(a{900}\){9}"]
)
def test_expressions_that_envoy_takes(text: str) -> None:
    assert bad_regex(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "(",
        "(?=x)",
        "(?!x)",
        "(?<=x)y",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "a{1001}",
        "(a{50}){50}",
        "a++",
        "(?>a)",
        "a*+",
        r"x\Z",
        r"\u0041",
        "(?#x)",
        "((a{20}|b){20}c){20}",
    ],
)
def test_expressions_that_envoy_refuses(text: str) -> None:
    assert bad_regex(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a.com", True),
        ("*.a.com", True),
        ("*", False),
        ("*.*.com", False),
        ("A.com", False),
        ("a.*.com", False),
        ("", False),
        ("-a.com", False),
        ("a" * 64 + ".com", False),
    ],
)
def test_hostnames(text: str, right: bool) -> None:
    assert is_hostname(text) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [("/", True), ("/a/b", True), ("a", False), ("/a//b", False), ("/a?b", False)],
)
def test_paths(text: str, right: bool) -> None:
    assert is_path(text) is right


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("", "a.com", "a.com"),
        ("*.a.com", "", "*.a.com"),
        ("*.a.com", "x.y.a.com", "x.y.a.com"),
        ("*.a.com", "*.x.a.com", "*.x.a.com"),
        ("*.a.com", "a.com", None),
        ("*.a.com", "xa.com", None),
        ("a.com", "b.com", None),
        ("", "", ""),
    ],
)
def test_hostnames_meet(first: str, second: str, common: str | None) -> None:
    assert meet(first, second) == meet(second, first) == common


def test_the_closest_pattern_and_all_wider_ones() -> None:
    patterns = ["", "*.com", "*.a.com", "x.a.com"]
    assert closest("x.a.com", patterns) == "x.a.com"
    assert closest("y.a.com", patterns) == "*.a.com"
    assert closest("b.org", patterns) == ""
    assert closest("b.org", patterns[1:]) is None
    assert list(wider("x.a.com")) == ["x.a.com", "*.a.com", "*.com", ""]
    assert list(wider("*.a.com")) == ["*.a.com", "*.com", ""]
    assert list(wider("")) == [""]
    assert all(covers(each, "x.a.com") for each in wider("x.a.com"))


@pytest.mark.parametrize(
    ("prefix", "new", "rewrite"),
    [
        ("/foo", "/xyz", {"prefix_rewrite": "/xyz"}),
        ("/foo", "/xyz/", {"prefix_rewrite": "/xyz"}),
        ("/", "/", {}),
    ],
)
def test_prefixes_are_replaced_by_whole_elements(
    prefix: str, new: str, rewrite: dict[str, str]
) -> None:
    edit = PathEdit("ReplacePrefixMatch", replace_prefix_match=new)
    assert path_rewrite(edit, prefix) == rewrite


def endpoint(address: str, **state: bool) -> Endpoint:
    return Endpoint((address,), Conditions(**state))


WEB = ServicePort(80, "web")


def at(*endpoints: Endpoint) -> list[str]:
    found = backends([Slice(endpoints=endpoints, ports=(SlicePort("web", 8080),))], WEB)
    return [each.address for each in found]


def test_endpoints_are_ready_unless_they_say_otherwise() -> None:
    assert at(endpoint("10.0.0.2"), endpoint("10.0.0.1", ready=True)) == ["10.0.0.1", "10.0.0.2"]
    assert at(endpoint("10.0.0.1", ready=False), endpoint("10.0.0.2")) == ["10.0.0.2"]


def test_those_that_end_serve_only_when_nobody_else_does() -> None:
    ending = endpoint("10.0.0.9", ready=False, serving=True, terminating=True)
    gone = endpoint("10.0.0.8", ready=False, serving=False, terminating=True)
    assert at(ending, gone, endpoint("10.0.0.1")) == ["10.0.0.1"]
    assert at(ending, gone) == ["10.0.0.9"]
    assert at(gone) == []


def test_ports_of_slices_belong_to_ports_of_services_by_name_and_protocol() -> None:
    ports = (SlicePort("web", 8080), SlicePort("other", 1), SlicePort("web", 53, "UDP"))
    one = Slice(endpoints=(endpoint("10.0.0.1"),), ports=ports)
    names = Slice("FQDN", (endpoint("x.com"),), ports)
    assert backends([one, one, names], WEB) == (Backend("10.0.0.1", 8080),)


def test_a_cluster_s_name_holds_the_version_and_can_be_taken_apart() -> None:
    spec = ServiceSpec(selector={"app": "x", "rollouts-pod-template-hash": "7f9c"})
    name = ClusterName("http", "shop", "web", 80, spec.version)
    assert str(name) == "http_shop_web_80_7f9c"
    assert ClusterName.parse(str(name)) == name
    assert ClusterName.parse("http_shop_web_80_-") == ClusterName("http", "shop", "web", 80)
    assert ClusterName.parse("fairway-nowhere") is None


def test_quoted_text_matches_itself_only() -> None:
    import re

    text = "a.b*c/(d)-e_f"
    assert re.fullmatch(quote(text), text)
    assert not re.fullmatch(quote(text), text.replace(".", "x"))
