"""What an AppProject allows, and the patterns in which it says so."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops import project
from fairway.gitops.application import read
from fairway.gitops.globs import glob
from fairway.gitops.objects import ObjectKey
from fairway.kube.fleet import Member

HOME = Member(name="main", server="https://10.0.0.1:6443", home=True)
FAR = Member(name="far", server="https://far:6443")


def limits(**spec: Any) -> project.Limits:
    return project.read({"metadata": {"name": "p"}, "spec": spec}).limits


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "anything/at/all", True),
        ("team-*", "team-a", True),
        ("team-*", "other", False),
        ("https://git.example/*", "https://git.example/a", True),
        ("a?c", "abc", True),
        ("[ab]c", "bc", True),
        ("[!ab]c", "bc", False),
        ("{one,two}", "two", True),
        ("a.c", "abc", False),
        ("{broken", "{broken", False),
    ],
)
def test_patterns_are_argo_cds(pattern: str, text: str, *, fits: bool) -> None:
    assert glob(pattern, text) is fits


def test_a_star_stays_between_slashes_in_addresses_and_two_go_over_them() -> None:
    assert not glob("https://git.example/*", "https://git.example/a/b", apart="/")
    assert glob("https://git.example/**", "https://git.example/a/b", apart="/")


@pytest.mark.parametrize(
    ("repos", "allowed"),
    [
        (["*"], True),
        (["https://git.example/acme/shop"], True),
        (["https://git.example/acme/shop.git"], True),
        (["HTTPS://git.example/acme/*"], True),
        (["https://git.example/other/*"], False),
        ([], False),
        (["*", "!https://git.example/acme/*"], False),
        (["*", "!https://git.example/other/*"], True),
    ],
)
def test_sources_are_allowed_by_their_addresses(repos: list[str], *, allowed: bool) -> None:
    made = limits(sourceRepos=repos)
    assert project.source_allowed(made, "https://git.example/acme/shop.git") is allowed


@pytest.mark.parametrize(
    ("destinations", "cluster", "namespace", "allowed"),
    [
        ([{"server": "*", "namespace": "*"}], FAR, "any", True),
        ([{"server": "https://far:6443", "namespace": "shop-*"}], FAR, "shop-a", True),
        ([{"server": "https://far:6443", "namespace": "shop-*"}], FAR, "other", False),
        ([{"name": "far", "namespace": "*"}], FAR, "any", True),
        ([{"name": "in-cluster", "namespace": "*"}], HOME, "any", True),
        ([{"server": "https://kubernetes.default.svc", "namespace": "*"}], HOME, "any", True),
        ([{"name": "in-cluster", "namespace": "*"}], FAR, "any", False),
        (
            [{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-system"}],
            FAR,
            "kube-system",
            False,
        ),
        (
            [{"server": "*", "namespace": "*"}, {"server": "!https://far:6443", "namespace": "*"}],
            FAR,
            "any",
            False,
        ),
        ([], FAR, "any", False),
    ],
)
def test_destinations_are_allowed_by_server_or_name_and_namespace(
    destinations: list[dict[str, str]], cluster: Member, namespace: str, *, allowed: bool
) -> None:
    made = limits(destinations=destinations)
    assert project.destination_allowed(made, cluster, namespace) is allowed


def test_kinds_with_namespaces_are_allowed_unless_listed_and_others_denied_unless_listed() -> None:
    secret = ObjectKey("", "Secret", "shop", "s")
    role = ObjectKey("rbac.authorization.k8s.io", "ClusterRole", "", "r")
    assert project.kind_allowed(limits(), secret, namespaced=True)
    assert not project.kind_allowed(limits(), role, namespaced=False)
    some = [{"group": "", "kind": "Secret"}]
    assert not project.kind_allowed(
        limits(namespaceResourceBlacklist=some), secret, namespaced=True
    )
    assert not project.kind_allowed(limits(namespaceResourceWhitelist=[]), secret, namespaced=True)
    assert project.kind_allowed(limits(namespaceResourceWhitelist=some), secret, namespaced=True)
    every = [{"group": "*", "kind": "*"}]
    assert project.kind_allowed(limits(clusterResourceWhitelist=every), role, namespaced=False)
    named = [{"group": "*", "kind": "ClusterRole", "name": "x*"}]
    assert not project.kind_allowed(limits(clusterResourceWhitelist=named), role, namespaced=False)


def test_what_is_outside_of_the_subset_is_named_by_its_path() -> None:
    found = project.read(
        {"metadata": {"name": "p"}, "spec": {"syncWindows": [{"kind": "deny"}], "roles": []}}
    )
    assert [one.path for one in found.problems] == ["spec.roles", "spec.syncWindows"]
    app = read(
        {
            "metadata": {"name": "a", "namespace": "argocd"},
            "spec": {
                "sources": [{"repoURL": "https://x"}],
                "source": {"repoURL": "https://x", "plugin": {"name": "mine"}},
                "syncPolicy": {"syncOptions": ["Replace=true", "CreateNamespace=true"]},
                "ignoreDifferences": [{"kind": "Secret", "jqPathExpressions": [".data"]}],
            },
        }
    )
    assert [one.path for one in app.problems] == [
        "spec.ignoreDifferences[0].jqPathExpressions",
        "spec.source.plugin",
        "spec.sources",
        "spec.syncPolicy.syncOptions[0]",
    ]
