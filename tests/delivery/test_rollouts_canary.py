"""Canaries on a real API server, with pods that a fake kubelet makes ready."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from rolloutground import Ground, ground, routed

from fairway.kube import Json, Kube
from fairway.rollout.controller import now
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.objects import moment
from fairway.testing.waiting import eventually


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
    expected = [
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
    await web.told(expected)


ROUTED = routed({"setWeight": 20}, {"pause": {}}, scaleDownDelaySeconds=1)


async def test_a_routed_canary_shifts_confirms_and_only_then_goes_on(web: Ground) -> None:
    await web.services("stable", "canary")
    await web.route()
    await web.create(ROUTED, replicas=5)
    await web.phase("Healthy")
    web.gateway.held = True
    await web.image("2")
    waiting = await web.until("a weight that waits", lambda one: _verified(one, 20) is False)
    assert waiting["status"]["phase"] == "Progressing"
    assert waiting["status"]["currentStepIndex"] == 0
    web.gateway.release()
    await web.phase("Paused")
    assert await web.weights() == {"stable": 80, "canary": 20}
    assert await web.pods() == {1: 5, 2: 1}
    await web.promote()
    await web.phase("Healthy")
    await web.until("all weight on stable", lambda one: _verified(one, 0) is True)
    assert await web.weights() == {"stable": 100, "canary": 0}

    async def gone() -> bool:
        return await web.pods() == {1: 0, 2: 5}

    await eventually("the old version scaled down", gone)


def _verified(obj: Json, weight: int) -> bool | None:
    weights = ((obj.get("status") or {}).get("canary") or {}).get("weights")
    if not weights or weights["canary"]["weight"] != weight:
        return None
    return bool(weights["verified"])


async def test_abort_retry_and_full_promotion_of_a_routed_canary(web: Ground) -> None:
    await web.services("stable", "canary")
    await web.route()
    await web.create(ROUTED, replicas=3)
    first = await web.phase("Healthy")
    await web.image("2")
    await web.phase("Paused")
    await web.abort()
    aborted = await web.phase("Degraded")
    message = "RolloutAborted: Rollout aborted update to revision 2"
    assert aborted["status"]["message"] == message
    await web.until("no weight", lambda one: _verified(one, 0) is True)
    stable = first["status"]["stableRS"]
    assert await web.selects("canary") == stable
    assert aborted["status"]["stableRS"] == stable
    await web.retry()
    await web.phase("Paused")
    assert await web.weights() == {"stable": 80, "canary": 20}
    await web.promote_full()
    done = await web.phase("Healthy")
    assert done["status"]["stableRS"] != stable


async def test_going_back_to_the_stable_version_skips_all_steps(web: Ground) -> None:
    await web.create(STEPS)
    first = await web.phase("Healthy")
    await web.image("2")
    await web.phase("Paused")
    await web.image("1")
    back = await web.phase("Healthy")
    assert back["status"]["stableRS"] == first["status"]["stableRS"]
    assert back["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"

    async def told() -> bool:
        return "SkipSteps" in await web.reasons()

    await eventually("the event SkipSteps", told)


async def test_a_rollback_within_the_window_skips_the_steps(web: Ground) -> None:
    await web.create(STEPS, rollbackWindow={"revisions": 2})
    first = await web.phase("Healthy")
    await _next_second(first)
    await web.image("2")
    await web.phase("Paused")
    await web.promote()
    await web.phase("Healthy")
    await web.image("1")
    back = await web.phase("Healthy")
    assert back["status"]["stableRS"] == first["status"]["stableRS"]


async def _next_second(obj: Json) -> None:
    """ReplicaSets are told apart by the second of their creation."""
    made = moment(obj["metadata"]["creationTimestamp"])
    assert made is not None

    async def later() -> bool:
        return (now() - made).total_seconds() > 2

    await eventually("another second", later)


async def test_a_pause_of_seconds_ends_by_itself_and_a_manual_pause_holds(web: Ground) -> None:
    await web.create({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "1s"}}]}})
    await web.phase("Healthy")
    await web.patch({"spec": {"paused": True}})
    await web.image("2")
    held = await web.phase("Paused")
    assert held["status"]["message"] == "manually paused"
    assert await web.pods() == {1: 2, 2: 0}
    await web.patch({"spec": {"paused": False}})
    await web.phase("Healthy")
    assert await web.pods() == {1: 0, 2: 2}


async def test_a_version_that_never_becomes_ready_is_aborted_at_the_deadline(web: Ground) -> None:
    await web.create(STEPS, progressDeadlineSeconds=2, progressDeadlineAbort=True)
    await web.phase("Healthy")
    notes = {"fake.fairway.dev/ready-after": "never"}
    await web.patch({"spec": {"template": {"metadata": {"annotations": notes}}}})
    late = await web.phase("Degraded")
    assert "has timed out progressing." in late["status"]["message"]
    assert late["status"]["abort"] is True
    await web.until("the stable version alone", lambda one: one["status"]["replicas"] == 2)


async def test_what_is_not_supported_is_refused_by_a_condition_and_goes_on_when_corrected(
    web: Ground,
) -> None:
    steps = [{"experiment": {"templates": []}}]
    await web.create_what_a_policy_refuses({"canary": {"steps": steps}})
    refused = await web.phase("Degraded")
    assert refused["status"]["message"] == (
        'InvalidSpec: The Rollout "web" is invalid: '
        "spec.strategy.canary.steps[0].experiment: is not supported yet"
    )
    await web.patch({"spec": {"strategy": STEPS}})
    await web.phase("Healthy")


async def test_replicas_are_defaulted_on_the_object_and_scaling_follows(web: Ground) -> None:
    await web.create(STEPS, replicas=None)
    found = await web.phase("Healthy")
    assert found["spec"]["replicas"] == 1
    await web.kube.scale(ROLLOUT, "web", web.namespace, 3)
    await web.until("three pods", lambda one: one["status"].get("HPAReplicas") == 3)
    await web.phase("Healthy")
    await web.kube.scale(ROLLOUT, "web", web.namespace, 0)
    await web.until("no pods", lambda one: not one["status"].get("HPAReplicas"))
    await web.phase("Healthy")


async def test_restarts_of_the_controller_in_the_middle_change_nothing(web: Ground) -> None:
    await web.services("stable", "canary")
    await web.route()
    await web.create(ROUTED)
    for tag in ("2", "3"):
        await web.until("some status", lambda one: one.get("status"))
        await web.stop()
        await web.start()
        await web.phase("Healthy")
        await web.image(tag)
        await web.stop()
        await web.start()
        await web.phase("Paused")
        await web.stop()
        await web.promote()
        await web.start()
        await web.phase("Healthy")
    assert sorted(await web.versions()) == [1, 2, 3]


async def test_services_are_let_go_when_their_rollout_goes_and_may_be_taken_by_another(
    web: Ground,
) -> None:
    await web.services("stable", "canary")
    named = {"canary": {"stableService": "stable", "canaryService": "canary"}}
    await web.create(named)
    await web.phase("Healthy")

    async def managed() -> bool:
        return bool(await web.selects("stable") and await web.selects("canary"))

    await eventually("both Services managed", managed)
    await web.patch({"spec": {"strategy": {"canary": {"canaryService": None}}}})

    async def one() -> bool:
        return bool(await web.selects("stable") and not await web.selects("canary"))

    await eventually("the Service that is not named let go", one)
    await web.kube.delete(ROLLOUT, "web", web.namespace)

    async def none() -> bool:
        return not await web.selects("stable")

    await eventually("the other let go", none)
