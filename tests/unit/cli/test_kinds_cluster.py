"""Objects of clusters as `get` shows them, read through the users' own way in."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fairway.cli import kinds, kinds_cluster
from fairway.client import clusters
from fairway.client.wire.cluster import ClusterAccess
from fairway.model.errors import Forbidden, Unavailable

RUN: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web-1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "Rollout", "name": "web"}],
    },
    "status": {
        "phase": "Failed",
        "message": "too many",
        "metricResults": [
            {"name": "errors", "phase": "Failed", "measurements": [{"value": "0.9"}]},
            {"name": "dry", "phase": "Successful", "dryRun": True, "measurements": [{}]},
        ],
    },
}
ROLLOUT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "annotations": {"rollout.argoproj.io/revision": "3"},
    },
    "spec": {
        "replicas": 4,
        "template": {"spec": {"containers": [{"image": "i:1"}]}},
        "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
    },
    "status": {
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "currentStepIndex": 1,
        "canary": {"weights": {"canary": {"weight": 20}}},
        "updatedReplicas": 1,
        "availableReplicas": 5,
    },
}


def row(kind: kinds.Kind, item: Any) -> list[str]:
    _titles, cells = kinds.cells(kind, wide=True)
    return [cell(item) for cell in cells]


def test_an_analysis_shows_its_metrics_with_their_last_values() -> None:
    found = row(kinds_cluster.ANALYSIS_RUNS, kinds_cluster.analysis("local", RUN))
    assert "errors=Failed (0.9), dry=Successful (dry run)" in found
    assert {"shop", "web-1", "Failed", "web", "too many", "local"} <= set(found)


def test_a_rollout_shows_its_step_its_weight_and_its_pods() -> None:
    found = row(kinds_cluster.ROLLOUTS, kinds_cluster.rollout("local", ROLLOUT))
    assert {"1/2", "20 %", "1/4", "5", "Paused", "CanaryPauseStep", "3", "i:1"} <= set(found)


def test_a_rollout_that_nobody_has_looked_at_is_shown() -> None:
    bare = {"metadata": {"name": "r"}, "spec": {"strategy": {"blueGreen": {}}}}
    found = kinds_cluster.rollout("local", bare)
    assert (found.phase, found.strategy, found.desired) == ("Progressing", "blue/green", 1)


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (403, b'{"message": "ada may not"}', Forbidden, "ada may not"),
        (502, b"bad gateway", Unavailable, "bad gateway"),
    ],
)
def test_what_a_cluster_refuses_is_told(  # noqa: PLR0917 a row of the table
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(httpx, "request", lambda *_a, **_k: httpx.Response(status, content=body))
    access = ClusterAccess(name="local", server="https://127.0.0.1:1", ca="")
    with pytest.raises(error, match=said):
        clusters.listed(access, "t", "/apis/x")
