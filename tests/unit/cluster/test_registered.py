"""Cluster Secrets in Argo CD's format, to and fro."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from fairway.cluster import certificates, registered
from fairway.cluster.certificates import Subject
from fairway.cluster.target import Target
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput

AUTHORITY = certificates.authority("test", clock.now())
PAIR = certificates.issue(AUTHORITY, Subject("admin"), clock.now())


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(config: Any = None, **data: str) -> dict[str, Any]:
    values = {"name": "prod", "server": "https://prod:6443/", **data}
    values["config"] = config if isinstance(config, str) else json.dumps(config or {})
    return {
        "metadata": {
            "name": "s",
            "namespace": "argocd",
            "labels": {registered.LABEL: "cluster", "env": "prod"},
            "annotations": {"a": "b"},
        },
        "data": {key: coded(text) for key, text in values.items()},
    }


def test_a_secret_as_argo_cd_documents_it() -> None:
    config = {
        "bearerToken": "abc",
        "tlsClientConfig": {
            "insecure": False,
            "serverName": "api",
            "caData": coded(AUTHORITY.cert.decode()),
        },
    }
    found = registered.from_secret(
        secret(config, namespaces="a, b", clusterResources="true", project="p", shard="2")
    )
    assert found.problem is None
    assert found.target is not None
    assert found.target.token == Secret("abc")
    assert (found.target.server_name, found.target.ca) == ("api", AUTHORITY.cert.decode())
    assert (found.name, found.server, found.secret) == ("prod", "https://prod:6443", "argocd/s")
    assert (found.namespaces, found.cluster_resources) == (("a", "b"), True)
    assert (found.project, found.shard, found.labels["env"]) == ("p", 2, "prod")
    assert (found.ours, found.home) == (False, False)


def test_without_a_name_the_server_is_the_name() -> None:
    found = registered.from_secret(secret(name=""))
    assert found.name == "https://prod:6443"


def test_argo_cds_own_cluster_is_the_home_cluster() -> None:
    found = registered.from_secret(secret(server=registered.HOME_SERVER))
    assert (found.home, found.problem, found.target) == (True, None, None)


@pytest.mark.parametrize(
    ("config", "data", "why"),
    [
        ({"execProviderConfig": {"command": "x"}}, {}, "execProviderConfig is not supported"),
        ({"awsAuthConfig": {"clusterName": "x"}}, {}, "awsAuthConfig is not supported"),
        ({"proxyUrl": "http://p"}, {}, "proxyUrl is not supported"),
        ("{", {}, "not as Argo CD has it"),
        ({"tlsClientConfig": {"caData": "%"}}, {}, "not base64 of PEM"),
        ({"tlsClientConfig": {"caData": coded("x")}}, {}, "certificates cannot be used"),
        ({}, {"server": "nonsense"}, "no address of a Kubernetes API"),
        ({}, {"shard": "x"}, "it is no number"),
    ],
)
def test_one_that_cannot_be_used_is_listed_with_the_reason(
    config: Any, data: dict[str, str], why: str
) -> None:
    found = registered.from_secret(secret(config, **data))
    assert found.target is None
    assert found.problem is not None
    assert why in found.problem.message
    assert found.problem.where.startswith("argocd/s")


def test_a_secret_with_no_base64_has_a_problem_too() -> None:
    item = secret()
    item["data"]["server"] = "%"
    found = registered.from_secret(item)
    assert found.problem is not None
    assert found.problem.where == "argocd/s:server"


def test_what_we_write_reads_the_same_again() -> None:
    target = Target(
        server="https://10.0.0.9:6443",
        ca=AUTHORITY.cert.decode(),
        cert=PAIR.cert.decode(),
        key=Secret(PAIR.key.decode()),
        token=Secret("t"),
        username="u",
        password=Secret("p"),
        server_name="api",
    )
    made = registered.to_secret(
        "My.Cluster", target, namespaces=("a",), cluster_resources=True, project="p",
        labels={"env": "x", registered.LABEL: "repository"},
    )  # fmt: skip
    assert made["metadata"]["labels"] == {"env": "x", registered.LABEL: "cluster"}
    found = registered.from_secret(made)
    assert (found.target, found.name, found.ours) == (target, "My.Cluster", True)
    assert (found.namespaces, found.cluster_resources, found.project) == (("a",), True, "p")


def test_two_names_have_two_secrets_with_names_that_kubernetes_takes() -> None:
    names = [registered.secret_name(name) for name in ("A.b_c", "a.b-c", "x" * 63)]
    assert len(set(names)) == 3
    assert all(len(name) <= 63 and name == name.lower() for name in names)


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "x" * 64, "in-cluster", "a\n"])
def test_a_name_that_can_be_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a cluster"):
        registered.check_name(name)
