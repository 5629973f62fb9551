"""Random histories of a Rollout: what must hold in each, whoever dies or changes their mind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.kube import Json
from fairway.rollout.crds import PLUGIN
from fairway.testing.rollout_world import RolloutWorld, history

EXAMPLES = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
SEEDS = st.integers(0, 2**32)
ROUTED = {
    "canaryService": "canary",
    "stableService": "stable",
    "trafficRouting": {"plugins": {PLUGIN: {"httpRoute": "web"}}},
}
STEPS: list[Json] = [
    {"setWeight": 20},
    {"pause": {"duration": 10}},
    {"setWeight": 50},
    {"pause": {}},
]
ANALYSIS = {"analysis": {"templates": [{"templateName": "good"}]}}
CHECKED = {"templates": [{"templateName": "good"}]}
STRATEGIES: dict[str, Json] = {
    "basic": {"canary": {"steps": STEPS}},
    "basic with services": {
        "canary": {"steps": STEPS, "canaryService": "canary", "stableService": "stable"}
    },
    "one step of analysis": {"canary": {"steps": [{"setWeight": 10}, ANALYSIS]}},
    "routed": {"canary": {"steps": STEPS, **ROUTED}},
    "routed, never scaled down": {
        "canary": {"steps": STEPS, **ROUTED, "abortScaleDownDelaySeconds": 0}
    },
    "routed and analysed": {
        "canary": {"steps": [{"setWeight": 10}, ANALYSIS], **ROUTED, **ANALYSIS}
    },
    "more canaries than wanted": {
        "canary": {"steps": [{"setCanaryScale": {"replicas": 9}}, *STEPS], **ROUTED}
    },
    "blue/green": {"blueGreen": {"activeService": "active", "previewService": "preview"}},
    "blue/green by hand": {
        "blueGreen": {
            "activeService": "active",
            "previewService": "preview",
            "autoPromotionEnabled": False,
            "previewReplicaCount": 1,
            "prePromotionAnalysis": CHECKED,
            "postPromotionAnalysis": CHECKED,
        }
    },
    "blue/green at once": {"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 0}},
}


def rollout(strategy: Json, replicas: int) -> Json:
    labels = {"app": "web"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "generation": 1},
        "spec": {
            "replicas": replicas,
            "rollbackWindow": {"revisions": 2},
            "selector": {"matchLabels": labels},
            "strategy": strategy,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }


def deeds(world: RolloutWorld, *, verdicts: bool = True) -> list[Callable[[], None]]:
    """What people do, and what releases turn out to be."""

    def status(**changes: Any) -> Callable[[], None]:
        return lambda: world.patch("rollout", {"status": changes})

    def spec(**changes: Any) -> Callable[[], None]:
        return lambda: world.patch("rollout", {"spec": changes})

    def verdict(words: str) -> Callable[[], None]:
        return lambda: setattr(world, "verdict", words)

    draw = world.random
    found: list[Callable[[], None]] = [
        lambda: world.image(str(draw.randint(1, 3))),
        lambda: world.image(str(draw.randint(1, 6))),
        lambda: world.image(f"bad-{draw.randint(1, 2)}", bad=True),
        status(pauseConditions=None),
        status(abort=True),
        status(abort=False),
        status(promoteFull=True),
        status(pauseConditions=None),
        lambda: world.patch("rollout", {"spec": {"paused": draw.random() < 0.3}}),
        lambda: world.patch("rollout", {"spec": {"replicas": draw.randint(1, 6)}}),
    ]
    if verdicts:
        found += [verdict(one) for one in ("Successful", "Failed", "Inconclusive")]
    return found


@pytest.mark.parametrize("name", STRATEGIES)
@EXAMPLES
@given(seed=SEEDS)
def test_every_history_ends_healthy_paused_or_degraded_and_no_request_meets_an_empty_version(
    name: str, seed: int
) -> None:
    world = RolloutWorld(rollout(STRATEGIES[name], 1 + seed % 5), seed)
    history(world, deeds(world), 150)
    world.settle()
    assert world.status["phase"] in ("Healthy", "Paused", "Degraded"), world
    again = world.decide()
    assert again.status is None
    assert not again.actions
