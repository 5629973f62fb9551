"""What a request asks of a Kubernetes API."""

from __future__ import annotations

import pytest

from fairway.cluster.proxy.asked import read


@pytest.mark.parametrize(
    ("method", "path", "verb", "subject"),
    [
        ("GET", "/api/v1/namespaces", "list", "cluster/c/-/namespaces"),
        ("GET", "/api/v1/namespaces/web", "get", "cluster/c/web/namespaces/web"),
        ("GET", "/api/v1/pods?watch=true", "watch", "cluster/c/-/pods"),
        ("GET", "/api/v1/watch/namespaces/web/pods", "watch", "cluster/c/web/pods"),
        ("GET", "/version", "get", "cluster/c/version"),
        ("HEAD", "/api/v1/nodes/n", "get", "cluster/c/-/nodes/n"),
        (
            "POST",
            "/apis/apps/v1/namespaces/web/deployments",
            "create",
            "cluster/c/web/deployments.apps",
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/web/deployments/a/scale",
            "patch",
            "cluster/c/web/deployments.apps/a/scale",
        ),
        (
            "PUT",
            "/api/v1/namespaces/web/finalize",
            "update",
            "cluster/c/web/namespaces/web/finalize",
        ),
        ("DELETE", "/api/v1/namespaces/web/pods", "deletecollection", "cluster/c/web/pods"),
        ("DELETE", "/api/v1/namespaces/web", "delete", "cluster/c/web/namespaces/web"),
        (
            "POST",
            "/api/v1/namespaces/w/pods/p/exec?command=ls",
            "connect",
            "cluster/c/w/pods/p/exec",
        ),
        ("GET", "/api/v1/namespaces/w/pods/p/exec", "connect", "cluster/c/w/pods/p/exec"),
        ("GET", "/api/v1/nodes/n/proxy/metrics", "connect", "cluster/c/-/nodes/n/proxy"),
        ("POST", "/api/v1/namespaces/w/pods/p/eviction", "create", "cluster/c/w/pods/p/eviction"),
    ],
)
def test_verb_and_subject(method: str, path: str, verb: str, subject: str) -> None:
    found = read(method, path)
    assert (found.verb, found.subject("c")) == (verb, subject)


@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("GET", "/api/v1/pods", False),
        ("POST", "/api/v1/pods", True),
        ("POST", "/api/v1/pods?dryRun=All", False),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", False),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", False),
        ("GET", "/api/v1/namespaces/w/pods/p/exec", True),
        ("GET", "/api/v1/namespaces/w/pods/p/log?follow=true", False),
        ("POST", "/apis/x.example/v1/things", True),
        ("OPTIONS", "/api", False),
        ("BREW", "/api/v1/pods/p", True),
    ],
)
def test_changes_and_ways_in_are_audited_and_questions_are_not(
    method: str, path: str, changes: bool
) -> None:
    assert read(method, path).changes is changes


@pytest.mark.parametrize(
    ("path", "endless"),
    [
        ("/api/v1/pods?watch=1", True),
        ("/api/v1/namespaces/w/pods/p/log?follow=true", True),
        ("/api/v1/namespaces/w/pods/p/attach", True),
        ("/api/v1/pods?watch=false", False),
    ],
)
def test_what_may_take_for_ever(path: str, endless: bool) -> None:
    assert read("GET", path).endless is endless


def test_a_new_objects_name_comes_from_its_body() -> None:
    found = read("POST", "/api/v1/namespaces/web/configmaps")
    assert found.subject("c", "settings") == "cluster/c/web/configmaps/settings"


def test_escaped_names_are_read() -> None:
    found = read("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aview")
    assert found.name == "system:view"
