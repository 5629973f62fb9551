"""Canaries on a real API server, with pods that a fake kubelet makes ready."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from rolloutground import Ground, ground

from fairway.kube import Kube


@pytest.fixture
async def web(kube: Kube, namespace: str) -> AsyncIterator[Ground]:
    async with ground(kube, namespace) as made:
        yield made


STEPS = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}


async def test_a_canary_is_deployed_paused_promoted_and_healthy(web: Ground) -> None:
    await web.create(STEPS)
    first = await web.phase("Healthy")
    assert first["status"]["stableRS"] == first["status"]["currentPodHash"]
    await web.image("2")
    paused = await web.phase("Paused")
    assert paused["status"]["message"] == "CanaryPauseStep"
    assert await web.pods() == {1: 1, 2: 1}
    await web.promote()
    done = await web.phase("Healthy")
    assert await web.pods() == {1: 0, 2: 2}
    assert done["status"]["currentStepIndex"] == 2
    assert await web.reasons() == [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "RolloutCompleted",
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "ScalingReplicaSet",
        "RolloutStepCompleted",
        "RolloutPaused",
        "RolloutStepCompleted",
        "ScalingReplicaSet",
        "ScalingReplicaSet",
        "RolloutCompleted",
    ]
