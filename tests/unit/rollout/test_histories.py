"""Random histories of a Rollout: what must hold in each, whoever dies or changes their mind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.kube import Json
from fairway.rollout.crds import PLUGIN
from fairway.rollout.objects import HASH
from fairway.testing.rollout_world import Crash, RolloutWorld, history

EXAMPLES = settings(
    max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), database=None
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
    history(world, deeds(world), 80)
    world.settle()
    assert world.status["phase"] in ("Healthy", "Paused", "Degraded"), world
    again = world.decide()
    assert again.status is None
    assert not again.actions


@pytest.mark.parametrize("name", STRATEGIES)
@EXAMPLES
@given(seed=SEEDS)
def test_an_abort_stays_and_brings_every_request_back_to_the_stable_version(
    name: str, seed: int
) -> None:
    world = RolloutWorld(rollout(STRATEGIES[name], 1 + seed % 5), seed)
    world.settle()
    stable = world.status["stableRS"]
    world.image("2")
    for _ in range(1 + seed % 30):
        world.pods()
        world.carry_out(world.decide())
        world.confirm() if world.route else world.wait(3)
    if world.status.get("stableRS") != stable:
        return  # it was promoted before anybody could abort
    world.patch("rollout", {"status": {"abort": True}})
    world.switches.clear()
    world.settle()
    assert world.status["phase"] == "Degraded", world
    assert world.status["abort"] is True
    assert world.status["stableRS"] == stable
    assert len(world.switches) <= len(world.services)
    for service in world.serving():
        assert world.services[service]["spec"]["selector"].get(HASH) in (stable, None)
    assert not world.decide().actions
    world.patch("rollout", {"status": {"abort": False}})
    world.verdict = "Successful"
    world.settle()
    assert world.status["phase"] in ("Healthy", "Paused"), world


@pytest.mark.parametrize("name", [name for name in STRATEGIES if "analys" in name])
@pytest.mark.parametrize("verdict", ["Failed", "Error", "Inconclusive", ""])
@EXAMPLES
@given(seed=SEEDS)
def test_nothing_but_an_explicit_verdict_promotes(name: str, verdict: str, seed: int) -> None:
    world = RolloutWorld(rollout(STRATEGIES[name], 1 + seed % 5), seed)
    world.settle()
    stable = world.status["stableRS"]
    world.verdict = verdict
    world.image("2")
    for _ in range(40):
        world.pods()
        if world.route:
            world.confirm()
        world.judge()
        world.wait(world.random.choice((1, 20)))
        try:
            world.carry_out(world.decide(), crash=0.1)
        except Crash:
            continue
    assert world.status["stableRS"] == stable, world


@EXAMPLES
@given(seed=SEEDS)
def test_an_old_cache_never_writes_and_never_keeps_it_from_going_on(seed: int) -> None:
    world = RolloutWorld(rollout(STRATEGIES["routed"], 3), seed)
    world.settle()
    old = world.seen()
    world.image("2")
    world.settle()
    before = world.versions
    assert not world.carry_out(world.decide(old), old) or world.versions == before
    assert world.versions == before
    assert world.status["phase"] == "Paused"
    assert len({one["metadata"]["labels"][HASH] for one in world.sets.values()}) == 2
    assert len(world.sets) == 2


def test_a_rollout_without_pods_is_healthy_and_grows_when_it_shall() -> None:
    for strategy in STRATEGIES.values():
        world = RolloutWorld(rollout(strategy, 0), 1)
        world.settle()
        assert world.status["phase"] == "Healthy", world
        world.patch("rollout", {"spec": {"replicas": 2}})
        world.settle()
        assert world.status["phase"] == "Healthy", world
        assert world.available(world.status["stableRS"]) == 2


def test_a_pause_that_is_looked_at_in_the_moment_of_its_end_is_over() -> None:
    steps: list[Json] = [{"setWeight": 50}, {"pause": {"duration": 10}}]
    world = RolloutWorld(rollout({"canary": {"steps": steps}}, 2), 1)
    world.settle()
    world.image("2")
    while not world.status.get("pauseConditions"):
        world.pods(all_at_once=True)
        world.carry_out(world.decide())
    world.carry_out(world.decide())
    world.wait(10)
    plan = world.decide()
    assert plan.status is not None, "or nobody would ever look again"
    assert not plan.status.get("pauseConditions")
