"""The clock of a running cluster: certificates that near their end, and such as have ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from cryptography import x509
from town import Town, eventually, get, town, web, why_not

from fairway.cluster import certificates
from fairway.cluster.pki import ACCOUNTS, Pki, leaves
from fairway.kit.clock import Millis

DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """A cluster with a web server."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path_factory.mktemp("clock")) as made:
        made.apply(*web("web"))
        made.wait("deployment", "web", "condition=Available")
        yield made


def now() -> Millis:
    return Millis(int(time.time() * 1000))


def issued(town: Town, days: int) -> None:
    """All certificates as they were had they been made so many days ago."""
    keeper = Pki(town.paths, town.plan)
    for name, leaf in leaves(town.plan).items():
        signer = keeper.read(leaf.signer)
        assert signer is not None
        pair = certificates.issue(signer, leaf.subject, Millis(now() - days * DAY))
        keeper.path(name, "key").write_bytes(pair.key)
        keeper.path(name, "crt").write_bytes(pair.cert)


def begins(town: Town) -> dict[str, float]:
    """Since when each certificate is valid, in seconds."""
    keeper = Pki(town.paths, town.plan)
    found = {}
    for name in leaves(town.plan):
        pair = keeper.read(name)
        assert pair is not None
        cert = x509.load_pem_x509_certificate(pair.cert)
        found[name] = cert.not_valid_before_utc.timestamp()
    return found


@pytest.mark.parametrize("days", [61, 100], ids=["near-their-end", "ended"])
def test_certificates_are_renewed_while_the_cluster_runs_and_pods_do_not_notice(
    served: Town, days: int
) -> None:
    """As after so many days, or after the clock was set so far ahead."""
    host = served.get("service", "web")["spec"]["clusterIP"]
    [pod] = served.get("pods")["items"]
    before, accounts = served.pids(), Pki(served.paths, served.plan).read(ACCOUNTS)
    began = time.time()
    issued(served, days)
    eventually(lambda: min(begins(served).values()) > began - 2 * DAY / 1000)
    readers = {"apiserver", "controller-manager", "scheduler", "kubelet", "proxy", "coredns",
               "etcd", "node"}  # fmt: skip
    eventually(lambda: not {n for n, pid in served.pids().items() if before[n] == pid} & readers)
    served.wait_ready()
    assert served.pids()["containerd"] == before["containerd"]
    assert "web-" in get(host, 80)
    [after] = served.get("pods")["items"]
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert after["status"]["containerStatuses"] == pod["status"]["containerStatuses"]
    assert Pki(served.paths, served.plan).read(ACCOUNTS) == accounts
    served.kubectl("scale", "deployment/web", "--replicas=2")  # each part of the cluster works
    eventually(lambda: served.get("deployment", "web")["status"].get("readyReplicas") == 2)
    served.kubectl("scale", "deployment/web", "--replicas=1")
    eventually(lambda: len(served.get("pods")["items"]) == 1)
    assert served.ok("kubectl", "get", "nodes", "-o", "name").out.strip() == (
        f"node/{served.plan.node_name}"
    )


def test_a_clock_that_was_ahead_and_is_set_back_costs_nothing(served: Town) -> None:
    """Certificates of a time that has not come yet are refused by everybody: they are made anew."""
    began = time.time()
    issued(served, -400)
    assert min(begins(served).values()) > began
    eventually(lambda: max(begins(served).values()) < time.time())
    served.wait_ready()
    host = served.get("service", "web")["spec"]["clusterIP"]
    eventually(lambda: "web-" in get(host, 80))
    served.pod("made-since", "sleep 3600")
    served.kubectl("delete", "pod", "made-since", "--wait=false")
