"""What nodes reach of Fairway, by what the kubelet says of a pull."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.reach import judge, reach
from fairway.model.errors import Forbidden
from fairway.testing.clusters import FakeCluster

PODS = "/api/v1/namespaces/fairway-system/pods"
PULL = (
    'rpc error: code = Unknown desc = failed to pull and unpack image "R/fairway/reach:check":'
    ' failed to resolve reference "R/fairway/reach:check": '
)


@pytest.mark.parametrize(
    ("message", "reached"),
    [
        (PULL + "R/fairway/reach:check: not found", True),
        (PULL + "pull access denied, repository does not exist", True),
        (PULL + "unexpected status from HEAD request: 401 Unauthorized", True),
        (PULL + "authorization failed: no basic auth credentials", True),
        (PULL + 'failed to do request: Head "https://R": dial tcp: no such host', False),
        (
            PULL + 'failed to do request: Head "https://R": dial tcp 10.0.0.1:443: i/o timeout',
            False,
        ),
        (PULL + "dial tcp 127.0.0.1:8480: connect: connection refused", False),
        (PULL + "http: server gave HTTP response to HTTPS client", False),
        (PULL + "x509: certificate signed by unknown authority", False),
        (PULL + "lookup not.found.example on 10.0.0.1:53: no such host", False),
    ],
)
def test_an_answer_of_the_registry_is_told_from_none(message: str, reached: bool) -> None:
    assert judge(message) == (reached, "" if reached else message)


def cluster(message: str) -> FakeCluster:
    conditions = [{"type": "Ready", "status": "True"}]
    nodes = [{"metadata": {"name": "n"}, "status": {"conditions": conditions}}]
    state = {"waiting": {"reason": "ErrImagePull", "message": message}}
    made = FakeCluster({"GET /api/v1/nodes": {"items": nodes}})

    def create(body: Any) -> Any:
        path = f"{PODS}/{body['metadata']['name']}"
        made.kept[path] = {**body, "status": {"containerStatuses": [{"state": state}]}}
        return body

    made.answers[f"POST {PODS}"] = create
    return made


async def test_a_pod_is_put_onto_a_node_and_goes_again() -> None:
    asked = cluster(PULL + "not found")
    [found] = await reach(asked, {"registry": "fairway.example.org"})
    assert (found.what, found.address, found.reached) == ("registry", "fairway.example.org", True)
    images = [
        body["spec"]["containers"][0]["image"]
        for method, _, body in asked.asked
        if method == "POST"
    ]
    assert images == ["fairway.example.org/fairway/reach:check"]
    assert asked.kept == {}


async def test_a_name_of_loopback_needs_no_pod_to_be_told() -> None:
    asked = cluster("")
    found = await reach(asked, {"registry": "127.0.0.1:8480", "api": "localhost"})
    assert [one.reached for one in found] == [False, False]
    assert asked.asked == []


async def test_an_embedded_cluster_knows_where_our_names_lead() -> None:
    found = await reach(
        cluster(PULL + "not found"), {"registry": "127.0.0.1:8480"}, leads_here=True
    )
    assert [one.reached for one in found] == [True]


@pytest.mark.parametrize("where", ["GET /api/v1/nodes", f"POST {PODS}"])
async def test_without_the_right_to_try_it_is_not_claimed(where: str) -> None:
    asked = cluster("")
    asked.answers[where] = Forbidden("not yours")
    [found] = await reach(asked, {"registry": "fairway.example.org"})
    assert (found.reached, "not yours" in found.detail) == (None, True)


async def test_without_a_ready_node_it_is_not_claimed() -> None:
    asked = FakeCluster({"GET /api/v1/nodes": {"items": []}})
    [found] = await reach(asked, {"api": "fairway.example.org"})
    assert (found.reached, "no node that is ready" in found.detail) == (None, True)
