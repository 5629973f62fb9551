"""Tables of small decisions: durations, hashes, fenceposts, phases, refusals, routes."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kube import Json, Key
from fairway.kube.subset import unsupported
from fairway.rollout import hashing, phases, steps, validation
from fairway.rollout.counts import closest, fenceposts, part
from fairway.rollout.crds import PLUGIN, RULES
from fairway.rollout.objects import Rollout, formatted
from fairway.rollout.plan import Seen
from fairway.rollout.router import Confirmed
from fairway.rollout.routers.gateway_api import OURS, GatewayApi


def rollout(strategy: Json, **spec: Any) -> Json:
    labels = {"app": "web"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{}]}},
            "strategy": strategy,
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (30, 30), ("30", 30), ("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("100ms", 0), ("-5", -5),
        ("soon", -1), ("5 s", -1), ("", -1), ("1d", -1),
    ],
)  # fmt: skip
def test_a_pause_lasts_as_long_as_go_reads_it(text: Any, seconds: int) -> None:
    assert steps.seconds(text) == seconds


def test_the_hash_of_a_template_is_for_ever() -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "a:1"}]}}
    assert hashing.template_hash(template) == GOLDEN[0]
    assert hashing.template_hash(template, 1) == GOLDEN[1]
    turned = {"spec": {"containers": [{"image": "a:1"}], "volumes": []}, **template}
    assert hashing.template_hash(turned) == GOLDEN[0]


GOLDEN = ("5d954898ff", "6db4dfd56")


def test_the_hash_of_steps_is_the_originals() -> None:
    assert hashing.fnv(b"") == 0x811C9DC5
    assert hashing.fnv(b"a") == 0xE40C292C
    assert hashing.encoded(12) == "56"


@pytest.mark.parametrize(
    ("value", "whole", "up", "found"),
    [(3, 10, True, 3), ("25%", 10, True, 3), ("25%", 10, False, 2), ("25", 10, True, 3)],
)
def test_a_part_is_a_number_or_a_percentage(value: Any, whole: int, up: bool, found: int) -> None:
    assert part(value, whole, up=up) == found


def test_one_of_surge_and_unavailable_is_at_least_one() -> None:
    found = Rollout(rollout({"canary": {"maxSurge": "1%", "maxUnavailable": 0}}, replicas=1))
    assert fenceposts(found) == (1, 0)
    none = Rollout(rollout({"canary": {"maxSurge": 0, "maxUnavailable": "1%"}}, replicas=1))
    assert fenceposts(none) == (0, 1)


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "found"),
    [
        (10, 10, 1, (1, 9)), (10, 0, 1, (0, 10)), (10, 100, 1, (10, 0)), (1, 50, 1, (1, 1)),
        (1, 5, 0, (0, 1)), (3, 50, 0, (2, 1)), (4, 1, 0, (1, 3)), (4, 99, 0, (3, 1)),
        (0, 50, 1, (0, 0)),
    ],
)  # fmt: skip
def test_pods_are_as_close_to_the_weight_as_they_can_be(
    replicas: int, weight: int, surge: int, found: tuple[int, int]
) -> None:
    assert closest(replicas, weight, surge) == found


def test_a_selector_is_written_as_kubernetes_writes_it() -> None:
    expressions = [
        {"key": "b", "operator": "In", "values": ["2", "1"]},
        {"key": "c", "operator": "DoesNotExist"},
    ]
    found = formatted({"matchLabels": {"a": "1"}, "matchExpressions": expressions})
    assert found == "!c,a=1,b in (1,2)"
    assert formatted({}) == "<none>"


# ---- phases --------------------------------------------------------------------------------------

GOOD = {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1, "stableRS": "a"}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, ("Progressing", "more replicas need to be updated")),
        ({"updatedReplicas": 1}, ("Progressing", "updated replicas are still becoming available")),
        ({**GOOD, "replicas": 2}, ("Progressing", "old replicas are pending termination")),
        ({**GOOD, "currentPodHash": "b"}, ("Progressing", "waiting for all steps to complete")),
        ({**GOOD, "currentPodHash": "a"}, ("Healthy", "")),
        (
            {**GOOD, "pauseConditions": [{"reason": "CanaryPauseStep"}]},
            ("Paused", "CanaryPauseStep"),
        ),
        (
            {"conditions": [{"type": "InvalidSpec", "reason": "InvalidSpec", "message": "no"}]},
            ("Degraded", "InvalidSpec: no"),
        ),
        (
            {"conditions": [{"type": "Progressing", "reason": "RolloutAborted", "message": "x"}]},
            ("Degraded", "RolloutAborted: x"),
        ),
    ],
)
def test_phases_and_messages_are_the_originals(status: Json, told: tuple[str, str]) -> None:
    assert phases.phase(Rollout(rollout({"canary": {}})), status) == told


def test_a_client_shows_what_was_not_observed_yet_first() -> None:
    obj = {"metadata": {"name": "web", "generation": 3}, "status": {"observedGeneration": "2"}}
    assert phases.shown(obj)[1] == "waiting for rollout spec update to be observed"
    obj["status"] = {"observedGeneration": "3", "controllerPause": True}
    assert phases.shown(obj)[1] == "waiting for rollout to unpause"


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "path"),
    [
        ({"canary": {"dynamicStableScale": True}}, "spec.strategy.canary.dynamicStableScale"),
        ({"canary": {"pingPong": {}}}, "spec.strategy.canary.pingPong"),
        (
            {"canary": {"trafficRouting": {"nginx": {}}}},
            "spec.strategy.canary.trafficRouting.nginx",
        ),
        (
            {"canary": {"trafficRouting": {"plugins": {"x/y": {}}}}},
            'spec.strategy.canary.trafficRouting.plugins["x/y"]',
        ),
        (
            {"canary": {"trafficRouting": {"plugins": {PLUGIN: {"tcpRoute": "x"}}}}},
            f'spec.strategy.canary.trafficRouting.plugins.{PLUGIN}["tcpRoute"]',
        ),
        (
            {"canary": {"steps": [{"setHeaderRoute": {}}]}},
            "spec.strategy.canary.steps[0].setHeaderRoute",
        ),
        ({"blueGreen": {"antiAffinity": {}}}, "spec.strategy.blueGreen.antiAffinity"),
    ],
)
def test_what_lies_outside_of_the_subset_is_named(strategy: Json, path: str) -> None:
    assert [one.path for one in unsupported(rollout(strategy), RULES)] == [path]


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ({}, "Rollout has missing field"),
        ({"canary": {}, "blueGreen": {}}, "Multiple Strategies"),
        ({"canary": {"maxSurge": 0, "maxUnavailable": 0}}, "both can not be zero"),
        ({"canary": {"maxSurge": "many"}}, "neither a number nor a percentage"),
        ({"canary": {"steps": [{"setWeight": 101}]}}, "between 0 and 100"),
        ({"canary": {"steps": [{}]}}, "Step must have one of"),
        ({"canary": {"steps": [{"setWeight": 1, "pause": {}}]}}, "Step must have one of"),
        ({"canary": {"steps": [{"setCanaryScale": {"weight": 1}}]}}, "requires TrafficRouting"),
        ({"canary": {"stableService": "a", "canaryService": "a"}}, "same service"),
        ({"canary": {"canaryService": "gone"}}, 'service "gone" not found'),
        ({"canary": {"trafficRouting": {}}}, "no other router is supported yet"),
        ({"canary": {"scaleDownDelaySeconds": 1}}, "only be used with traffic routing"),
        (
            {"canary": {"analysis": {"templates": [{"templateName": "x"}]}}},
            "AnalysisTemplate 'x' not found",
        ),
    ],
)
def test_what_cannot_work_is_said(strategy: Json, words: str) -> None:
    found = validation.problem(Seen(rollout=rollout(strategy)))
    assert found is not None
    assert words in found.message


# ---- the router ----------------------------------------------------------------------------------

CANARY = {
    "canary": {
        "canaryService": "canary",
        "stableService": "stable",
        "trafficRouting": {"plugins": {PLUGIN: {"httpRoute": "web"}}},
    }
}
PLACE = Key("shop", "web")


def route(*rules: Json, **status: Any) -> Json:
    return {
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "spec": {"rules": list(rules)},
        "status": status,
    }


BOTH = {"backendRefs": [{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]}
OTHER = {"backendRefs": [{"name": "stable"}, {"name": "metrics", "weight": 7}]}


def accepted(generation: int, name: str = "example") -> Json:
    said = {"type": "Accepted", "status": "True", "observedGeneration": generation}
    return {"controllerName": name, "conditions": [said]}


class Told:
    generation = 2
    rules: dict[int, list[Any]] = {}  # noqa: RUF012 a stub's value


def test_only_rules_that_have_both_services_get_weights_and_other_backends_keep_theirs() -> None:
    router = GatewayApi(lambda route: None)
    extra = {"backendRefs": [*BOTH["backendRefs"], {"name": "metrics", "weight": 7}]}
    found = router.shift(Rollout(rollout(CANARY)), {PLACE: route(extra, OTHER)}, 30)
    assert len(found) == 1
    rules = found[0].body["spec"]["rules"]
    assert [one.get("weight") for one in rules[0]["backendRefs"]] == [70, 30, 7]
    assert rules[1] == OTHER
    assert list(found[0].body["metadata"]["labels"].values()) == ["in-progress"]


def test_a_route_without_a_rule_for_both_is_a_problem() -> None:
    router = GatewayApi(lambda route: None)
    made = Rollout(rollout(CANARY))
    assert "not found" in router.problem(made, {})
    assert "no rule" in router.problem(made, {PLACE: route(OTHER)})
    assert router.problem(made, {PLACE: route(BOTH)}) == ""


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ([], Confirmed.NOT_YET),
        ([accepted(1)], Confirmed.NOT_YET),
        ([accepted(2)], Confirmed.YES),
        ([accepted(2), accepted(1)], Confirmed.NOT_YET),
        ([accepted(2, OURS)], Confirmed.NOT_YET),
    ],
)
def test_a_weight_is_live_when_every_gateway_says_so(parents: list[Json], found: Confirmed) -> None:
    router = GatewayApi(lambda route: None)
    made, routes = Rollout(rollout(CANARY)), {PLACE: route(BOTH, parents=parents)}
    assert router.confirmed(made, routes, 0) is found


def test_our_own_gateway_is_believed_when_its_live_weights_are_the_routes() -> None:
    class Share:
        namespace, service, weight = "shop", "stable", 100

    told = Told()
    router = GatewayApi(lambda route: told)
    made, routes = Rollout(rollout(CANARY)), {PLACE: route(BOTH, parents=[accepted(2, OURS)])}
    assert router.confirmed(made, routes, 0) is Confirmed.NOT_YET
    told.rules = {0: [Share()]}
    assert router.confirmed(made, routes, 0) is Confirmed.YES
