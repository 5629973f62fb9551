"""Whether a release has arrived, as Applications and Rollouts tell it."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.release import arrival
from fairway.release.arrival import Way

DIGEST = "sha256:" + "b" * 64


def application(
    revision: str = "1.0.0", sync: str = "Synced", health: str = "Healthy", **operation: Any
) -> dict[str, Any]:
    return {
        "status": {
            "sync": {"status": sync, "revision": revision},
            "health": {"status": health},
            "operationState": operation,
        }
    }


def rollout(phase: str, *, digest: str = DIGEST, seen: str = "3", **status: Any) -> dict[str, Any]:
    container = {"image": f"registry/production/web@{digest}"}
    return {
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"phase": phase, "observedGeneration": seen, **status},
    }


def deployment(**status: Any) -> dict[str, Any]:
    made = rollout("")
    full = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    made |= {"kind": "Deployment", "status": {**full, **status}}
    made["spec"]["replicas"] = 2
    return made


def judge(app: Any, *workloads: Any) -> arrival.Arrival:
    return arrival.judge(app, workloads, revision="1.0.0", digest=DIGEST, chart="web")


@pytest.mark.parametrize(
    ("app", "workload", "way", "why"),
    [
        (application(), rollout("Healthy"), Way.ARRIVED, ""),
        (application(), deployment(), Way.ARRIVED, ""),
        (None, rollout("Healthy"), Way.COMING, "no such Application"),
        (application("0.9.0"), rollout("Healthy"), Way.COMING, "at 0.9.0, not at 1.0.0"),
        (application(sync="OutOfSync"), rollout("Healthy"), Way.COMING, "OutOfSync"),
        (application(health="Progressing"), rollout("Healthy"), Way.COMING, "Progressing"),
        (application(), rollout("Healthy", digest="sha256:c"), Way.COMING, "nothing runs"),
        (application(), rollout("Healthy", seen="2"), Way.COMING, "not been looked at"),
        (application(), rollout("Paused", message="CanaryPauseStep"), Way.COMING, "PauseStep"),
        (application(), rollout("Degraded", message="aborted"), Way.REFUSED, "aborted"),
        (application(), rollout("Progressing", abort=True), Way.REFUSED, "Progressing"),
        (application(), deployment(availableReplicas=1), Way.COMING, "1 of 2"),
        (application(), deployment(replicas=3), Way.COMING, "2 of 2"),
        (
            application("0.9.0", phase="Failed", message="no", syncResult={"revision": "1.0.0"}),
            rollout("Healthy"), Way.REFUSED, "its sync failed: no",
        ),
        (
            application("0.9.0", phase="Failed", message="no", syncResult={"revision": "0.9.0"}),
            rollout("Healthy"), Way.COMING, "at 0.9.0",
        ),
    ],
)  # fmt: skip
def test_how_far_a_release_is(app: Any, workload: Any, way: Way, why: str) -> None:
    found = judge(app, workload)
    assert found.way is way
    assert why in found.why


def test_a_deployment_past_its_deadline_is_refused() -> None:
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}
    assert judge(application(), deployment(updatedReplicas=1, conditions=[late])).way is Way.REFUSED


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("2026-01-01T10:00:03Z", Way.COMING),  # of the release before: this one has just come
        ("2026-01-01T10:00:10Z", Way.COMING),
        ("2026-01-01T10:00:13Z", Way.REFUSED),
    ],
)
def test_the_missed_deadline_of_the_release_before_does_not_refuse_the_way_back(
    said: str, way: Way
) -> None:
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}
    found = deployment(replicas=3, conditions=[{**late, "lastUpdateTime": said}])
    found["metadata"]["managedFields"] = [
        {"manager": "gitops", "time": "2026-01-01T10:00:10Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "first", "time": "2026-01-01T09:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "labels", "time": "2026-01-01T11:00:00Z", "fieldsV1": {"f:metadata": {}}},
        {"manager": "controllers", "time": "2026-01-01T11:00:00Z", "subresource": "status",
         "fieldsV1": {"f:spec": {}}},
    ]  # fmt: skip
    assert judge(application(), found).way is way


def test_a_rollout_in_its_steps_is_named_for_those_who_skip_them() -> None:
    found = judge(application(), rollout("Paused"))
    assert found.aside == (("shop", "web"),)
    assert judge(application(), rollout("Healthy")).aside == ()


def weights(weight: int, version: str = "new") -> dict[str, Any]:
    return {"weights": {"canary": {"weight": weight, "podTemplateHash": version}}}


@pytest.mark.parametrize(
    ("workload", "traffic"),
    [
        (rollout("Progressing", replicas=3, updatedReplicas=1, availableReplicas=2), False),
        (rollout("Paused", replicas=3, updatedReplicas=1, availableReplicas=3), True),
        (rollout("Paused", replicas=3, availableReplicas=3), False),
        (rollout("Paused", currentPodHash="new", stableRS="old", canary=weights(0)), False),
        (rollout("Paused", currentPodHash="new", stableRS="old", canary=weights(9)), True),
        (rollout("Paused", currentPodHash="new", stableRS="old", canary=weights(9, "x")), False),
        (rollout("Paused", currentPodHash="new", stableRS="new", canary=weights(0)), True),
        (rollout("Paused", currentPodHash="new", blueGreen={"activeSelector": "old"}), False),
        (rollout("Paused", currentPodHash="new", blueGreen={"activeSelector": "new"}), True),
        (rollout("Degraded", currentPodHash="new", stableRS="old", canary=weights(9)), True),
        (rollout("Healthy", seen="2", currentPodHash="old", stableRS="old"), False),
        (deployment(replicas=3, updatedReplicas=1, availableReplicas=2), False),
        (deployment(replicas=3, updatedReplicas=1, availableReplicas=3), True),
    ],
)  # fmt: skip
def test_a_release_has_traffic_when_a_pod_of_it_surely_answers(
    workload: Any, traffic: bool
) -> None:
    assert judge(application(), workload).traffic is traffic


def test_only_workloads_of_an_application_are_looked_at() -> None:
    listed = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "n", "name": "d"},
        {"version": "v1", "kind": "Service", "namespace": "n", "name": "s"},
        {"group": "batch", "version": "v1", "kind": "Job", "namespace": "n", "name": "j"},
    ]
    found = arrival.resources({"status": {"resources": listed}})
    assert found == [("apps", "v1", "Deployment", "n", "d")]
