"""Events of Rollouts: derived from the status, written once however often it is looked at."""

from __future__ import annotations

from typing import Any

from fairway.kube import Json
from fairway.model.events import RolloutChanged
from fairway.rollout.telling import Telling, event
from fairway.store import outbox
from fairway.store.database import Database


def rollout(**status: Any) -> Json:
    steps = [{"setWeight": 20}, {"pause": {}}]
    containers = [{"name": "web", "image": "shop/web@sha256:aa"}]
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 3,
            "annotations": {
                "rollout.argoproj.io/revision": "4",
                "argocd.argoproj.io/tracking-id": "web-prod:argoproj.io/Rollout:shop/web",
            },
        },
        "spec": {
            "replicas": 5,
            "template": {"spec": {"containers": containers}},
            "strategy": {"canary": {"steps": steps}},
        },
        "status": {
            "observedGeneration": "3",
            "phase": "Paused",
            "message": "CanaryPauseStep",
            "currentStepIndex": 1,
            "stableRS": "old",
            "currentPodHash": "new",
            "replicas": 5,
            "updatedReplicas": 1,
            **status,
        },
    }


def test_an_event_says_what_a_person_wants_to_know() -> None:
    found = event("home", rollout())
    assert found is not None
    assert found[0] == RolloutChanged(
        cluster="home",
        namespace="shop",
        name="web",
        uid="u-1",
        application="web-prod",
        revision=4,
        phase="Paused",
        message="CanaryPauseStep",
        step=1,
        steps=2,
        weight=20,
        images=["shop/web@sha256:aa"],
        stable="old",
        current="new",
    )


def test_nothing_is_told_of_a_rollout_that_nobody_has_looked_at() -> None:
    assert event("home", {**rollout(), "status": {}}) is None


def test_the_weight_is_the_routers_where_there_is_one() -> None:
    weights = {"canary": {"weight": 35}, "stable": {"weight": 65}}
    found = event("home", rollout(canary={"weights": weights}))
    assert found is not None
    assert found[0].weight == 35
    done = event("home", rollout(stableRS="new"))
    assert done is not None
    assert done[0].weight == 100


def test_the_same_state_entered_again_is_another_transition() -> None:
    keys = {
        found[1]
        for at in ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z")
        if (found := event("home", rollout(pauseConditions=[{"reason": "x", "startTime": at}])))
    }
    assert len(keys) == 2


async def test_an_event_is_written_once_by_whoever_looks(database: Database) -> None:
    for telling in (Telling(database, "home"), Telling(database, "home")):
        await telling(rollout())
        await telling(rollout())
    await Telling(database, "home")(rollout(phase="Progressing", message=""))

    def read(db: Any) -> list[str]:
        return [one[2].phase for one in outbox.since(db, 0) if isinstance(one[2], RolloutChanged)]

    assert await database.read(read) == ["Paused", "Progressing"]


def test_health_that_was_lost_and_came_back_is_told_again() -> None:
    def healthy(since: str) -> Json:
        condition = {"type": "Healthy", "status": "True", "lastTransitionTime": since}
        return rollout(phase="Healthy", message="", conditions=[condition])

    first, again, later = (
        event("home", healthy(f"2026-01-01T00:00:0{second}Z")) for second in (1, 1, 9)
    )
    assert first is not None
    assert again is not None
    assert later is not None
    assert first[1] == again[1]
    assert first[1] != later[1]
