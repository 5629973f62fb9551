"""Rollouts' arithmetic, hashes and phases beside Argo Rollouts' own functions, on random input."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from oracleground import Oracle, needed

from fairway.rollout import counts, hashing, phases, steps
from fairway.rollout.objects import ReplicaSet, Rollout

pytestmark = needed
Json = dict[str, Any]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(600))
def test_versions_get_the_same_number_of_pods(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)

    def replica_set(name: str) -> Json:
        size = choice.randrange(12)
        return {
            "metadata": {"name": name, "labels": {"rollouts-pod-template-hash": name}},
            "spec": {"replicas": size},
            "status": {"replicas": size, "availableReplicas": choice.randint(0, size)},
        }

    canary: Json = {"steps": [{"setWeight": choice.choice((0, 1, 10, 25, 33, 50, 75, 99, 100))}]}
    for field in ("maxSurge", "maxUnavailable"):
        value = choice.choice((None, 0, 1, 3, "0%", "25%", "50%", "100%"))
        if value is not None:
            canary[field] = value
    if choice.random() < 0.3:
        canary["trafficRouting"] = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "r"}}}
        if choice.random() < 0.5:
            canary["minPodsPerReplicaSet"] = choice.randint(1, 4)
        if choice.random() < 0.4:
            scale = {"replicas": choice.randrange(6)} if choice.random() < 0.5 else {"weight": 40}
            canary["steps"] = [{"setCanaryScale": scale}]
    index = choice.randrange(2)
    rollout = {
        "metadata": {"name": "r", "namespace": "n"},
        "spec": {"replicas": choice.randrange(12), "strategy": {"canary": canary}},
        "status": {
            "stableRS": choice.choice(("stable", "stable", "stable", "")),
            "currentPodHash": "new",
            "currentStepIndex": index,
            "promoteFull": choice.random() < 0.1,
            "abort": False,
        },
    }
    new, stable = replica_set("new"), replica_set("stable")
    others = [replica_set("old")] if choice.random() < 0.3 else []
    given = {"rollout": rollout, "new": new, "stable": stable, "old": others}
    theirs = oracle.ask("replicas", **given)
    ours = counts.wanted(
        Rollout(rollout), ReplicaSet(new), ReplicaSet(stable), [ReplicaSet(one) for one in others]
    )
    assert [*ours] == theirs, given


STEPS: tuple[Json, ...] = (
    {"setWeight": 0},
    {"setWeight": 40},
    {"pause": {}},
    {"pause": {"duration": "1h"}},
    {"pause": {"duration": 20}},
    {"setCanaryScale": {"replicas": 3}},
    {"setCanaryScale": {"weight": 25}},
    {"setCanaryScale": {"matchTrafficWeight": True}},
    {"analysis": {"templates": [{"templateName": "t"}]}},
    {
        "analysis": {
            "templates": [{"templateName": "t", "clusterScope": True}],
            "args": [
                {"name": "a", "value": "<&>"},
                {"name": "b", "valueFrom": {"podTemplateHashValue": "Latest"}},
                {"name": "c", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
        }
    },
)


@pytest.mark.parametrize("seed", range(80))
def test_lists_of_steps_have_the_same_name(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    canary: Json = {}
    if seed:
        canary["steps"] = [choice.choice(STEPS) for _ in range(choice.randrange(6))]
    rollout = {"spec": {"strategy": {"canary": canary}}}
    theirs = oracle.ask("stepHash", rollout=rollout)
    assert hashing.steps_hash(canary.get("steps")) == theirs, canary


@pytest.mark.parametrize(
    "duration", [5, "5", "90s", "1h30m", "1.5m", "-3s", "-4", "500ms", "1d", "x", "", "0", "1h1"]
)
def test_pauses_last_alike(oracle: Oracle, duration: int | str) -> None:
    assert steps.seconds(duration) == oracle.ask("pause", pause={"duration": duration})


@pytest.mark.parametrize("seed", range(300))
def test_rollouts_have_the_same_phase_and_message(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    routed = {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "r"}}}}
    strategy: Json = choice.choice(
        [{"canary": {}}, {"canary": routed}, {"blueGreen": {"activeService": "a"}}]
    )
    if "canary" in strategy and choice.random() < 0.5:
        strategy = {"canary": {**strategy["canary"], "steps": [{"setWeight": 20}, {"pause": {}}]}}
    hashes = ("old", "new", "new", "new")
    status: Json = {
        "replicas": choice.randrange(4),
        "updatedReplicas": choice.choice((0, 2, 2, 2, 3)),
        "readyReplicas": choice.randrange(4),
        "availableReplicas": choice.choice((0, 2, 2, 2, 3)),
        "stableRS": choice.choice((*hashes, "")),
        "currentPodHash": "new",
        "currentStepIndex": choice.randrange(3),
        "blueGreen": {"activeSelector": choice.choice((*hashes, ""))},
    }
    if choice.random() < 0.15:
        status["pauseConditions"] = [
            {"reason": choice.choice(("CanaryPauseStep", "BlueGreenPause"))}
        ]
    if choice.random() < 0.2:
        reasons = ("RolloutAborted", "ProgressDeadlineExceeded", "NewReplicaSetAvailable")
        status["conditions"] = [
            {"type": "Progressing", "reason": choice.choice(reasons), "message": "why"}
        ]
    if choice.random() < 0.05:
        status["conditions"] = [{"type": "InvalidSpec", "reason": "x", "message": "because"}]
    spec = {"replicas": 2, "strategy": strategy, "paused": choice.random() < 0.1}
    rollout = {"metadata": {"name": "r"}, "spec": spec, "status": status}
    assert [*phases.phase(Rollout(rollout), status)] == oracle.ask("phase", rollout=rollout), (
        rollout
    )
