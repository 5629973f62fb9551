"""Ours beside Argo Rollouts' own functions, on random input: the same answers, word for word."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from oracleground import Oracle, Refused, needed

from fairway.kit import goduration
from fairway.model.errors import InvalidInput
from fairway.native import programs, wire
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.rollout.analysis import args, checking, history, judge, making
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.judge import Due, Run
from fairway.rollout.analysis.model import (
    ENDED,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    Metric,
    Status,
    stamp,
)

pytestmark = needed
Json = dict[str, Any]
T0 = 1_800_000_000
PHASES = (SUCCESSFUL, SUCCESSFUL, FAILED, INCONCLUSIVE, ERROR)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.close()


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


def filled(spec: Json) -> Json:
    """A spec with its list of metrics, and without the empty structs that Go writes."""
    provider = {"web": {"url": "u"}}
    return {**spec, "metrics": [{**one, "provider": provider} for one in spec["metrics"] or ()]}


def told(ask: Callable[[], Any]) -> tuple[Any, str]:
    """What is answered, and what is said instead."""
    try:
        return ask(), ""
    except (Refused, ValueError) as error:
        return None, str(error)
    except InvalidInput as error:
        return None, error.message


def alike(theirs: Callable[[], Any], ours: Callable[[], Any], about: Any) -> None:
    """Both give the same, or both refuse in the same words."""
    wanted, refused = told(theirs)
    found, said = told(ours)
    assert (found, said) == (wanted, refused), about


def random_metric(choice: random.Random, name: str) -> Json:
    fields: Json = {"name": name, "provider": {"web": {"url": "u"}}}
    choices: dict[str, list[Any]] = {
        "interval": ["", "1s", "5m", "1.5h"],
        "initialDelay": ["", "", "30s"],
        "count": [None, None, 1, 2, 4, "3", "x"],
        "failureLimit": [None, 0, 1, 2, "1", -1],
        "inconclusiveLimit": [None, None, 1, "2"],
        "consecutiveErrorLimit": [None, 0, 1, 2],
        "consecutiveSuccessLimit": [None, None, 1, 2],
    }
    for key, values in choices.items():
        value = choice.choice(values)
        if value not in (None, ""):
            fields[key] = value
    return fields


def random_history(choice: random.Random, run: Run) -> Run:
    """A run as it may come to be: looked at again and again."""
    now = float(T0)
    for _look in range(choice.randrange(6)):
        for due in judge.due(run, now):
            phase = choice.choice((*PHASES, RUNNING))
            ended = stamp(now) if phase in ENDED else None
            resume = stamp(now + 7) if phase == RUNNING and choice.random() < 0.5 else None
            taken = Measurement(
                phase,
                message=choice.choice(["", "because"]),
                started_at=stamp(now),
                finished_at=ended,
                resume_at=resume,
            )
            run = judge.take(run, due, taken, now, metadata={})
        run = judge.assess(run, now).run
        if run.status.phase in ENDED:
            return run
        now += choice.choice((1, 11, 400))
    return run


@pytest.mark.parametrize("seed", range(400))
def test_runs_are_judged_alike(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    given = [random_metric(choice, name) for name in ("a", "b", "c")[: choice.randint(1, 3)]]
    metrics = tuple(msgspec.convert(one, Metric) for one in given)
    dry = frozenset(one.name for one in metrics if choice.random() < 0.2)
    run = random_history(choice, Run(metrics=metrics, status=Status(), dry_run=dry))
    run = replace(run, terminate=choice.random() < 0.2)
    now = T0 + choice.choice((0, 5, 30, 700))
    for due in judge.due(run, now):  # what is due is measured before it is judged
        if choice.random() < 0.9:
            taken = Measurement(choice.choice(PHASES), started_at=stamp(now))
            run = judge.take(run, Due(due.metric, due.unfinished), taken, now, metadata={})
    run = replace(run, status=replace(run.status, phase="", message="", completed_at=None))
    rules = [{"metricName": f"^{name}$"} for name in sorted(dry)]
    theirs = oracle.ask(
        "assess",
        now=now,
        run={"spec": {"metrics": given, "terminate": run.terminate}, "status": run.status.json()},
        metrics=given,
        dryRun=rules,
    )
    assert [one.metric.name for one in judge.due(run, now)] == theirs["due"]
    judged = judge.assess(run, now).run
    ours = json.loads(json.dumps(replace(judged.status, completed_at=None).json()))
    assert ours == {name: value for name, value in theirs["status"].items() if value is not None}
    if judged.status.phase not in ENDED:
        at = judge.next_time(judged, now)
        assert (None if at is None else int(at)) == theirs["next"]


@pytest.mark.parametrize("seed", range(100))
def test_metrics_are_checked_alike(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    given = [random_metric(choice, choice.choice("ab")) for _ in range(choice.randint(0, 2))]
    for one in given:
        odd = choice.random()
        if odd < 0.2:
            one["interval"] = choice.choice(["5", "x", "1d"])
        elif odd < 0.3:
            one["provider"] = {}
        elif odd < 0.4:
            one["provider"]["job"] = {"spec": {}}
    metrics = [msgspec.convert(one, Metric) for one in given]
    alike(
        lambda: oracle.ask("validate", metrics=given),
        lambda: checking.check(metrics),
        given,
    )


@pytest.mark.parametrize(
    "text",
    ["1s", "1h2m3.5s", "", "0", "-5m", "5", "1d", ".s", "1.5h", "9223372036854775808ns", "1µs"]
    + [f"{n}.{n * 7919 % 100003}{unit}" for n in range(20) for unit in ("s", "ms", "h")],
)
def test_durations_are_read_alike(oracle: Oracle, text: str) -> None:
    alike(lambda: oracle.ask("duration", text=text), lambda: goduration.nanoseconds(text), text)


VALUES = ["v", 'a"b', "line\nbreak", "ünï", "5", "", "{{args.x}}", "back\\slash", "<&>"]


@pytest.mark.parametrize("seed", range(60))
def test_arguments_are_filled_in_alike(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    query = "".join(choice.choice(["a ", "{{args.x}}", "{{ args.y }}", "{{y}}"]) for _ in range(3))
    metric = {"name": "m", "provider": {"web": {"url": query, "headers": []}}}
    known = [
        {"name": name, **({"value": choice.choice(VALUES)} if choice.random() < 0.9 else {})}
        for name in ("x", "y")
        if choice.random() < 0.9
    ]
    alike(
        lambda: oracle.ask("resolve", metric=metric, args=known)["provider"]["web"]["url"],
        lambda: args.resolved(metric, known).provider["web"]["url"],
        (metric, known),
    )


CONDITIONS = (
    "result > 1", "result[0] >= 0.95", "result == 1", "len(result) > 0", "result.ok",
    "all(result, # > 0.5)", "isNaN(result)", "isInf(result)", "isNil(result)", "result",
    "default(result, 7) == 7", "asInt(result) == 5", "asFloat(result) >= 1.5", "result +",
    "result.a.b", "result in ['x']", "nothing > 1", "any(result, {# == 1})", "max(result) > 1",
    "result == nil", "asInt(result.v) > 2", "isNaN(result[0])", "result.v matches '^1'",
    "default(result, 0) > 0", "asInt('x') == 1",
)  # fmt: skip
RESULTS: tuple[Any, ...] = (
    0, 1, 1.5, -3, "x", "5", "1.5", True, None, [], [1.0], [0.9, 0.1], {"ok": True}, {"v": "12"},
    {"a": {"b": True}}, [{"v": 1}], {"$float": "NaN"}, {"$float": "+Inf"},
    {"$floats": []}, {"$floats": [0.97, 1.0]}, {"$floats": [{"$float": "NaN"}]},
)  # fmt: skip


def plain(result: Any) -> Any:
    """What our providers give for it."""
    if isinstance(result, dict) and "$floats" in result:
        return [wire.unwrapped(one) for one in result["$floats"]]
    return wire.unwrapped(result)


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_conditions_mean_the_same(oracle: Oracle, toolbox: Toolbox, condition: str) -> None:
    judging = Conditions(toolbox)
    for given in RESULTS:
        for field in ("successCondition", "failureCondition"):
            metric = {"name": "m", field: condition}
            try:
                wanted = oracle.ask("condition", metric=metric, result=given)
            except Refused:
                wanted = ERROR
            found, said = await judging.judge(msgspec.convert(metric, Metric), plain(given))
            assert found == wanted, (condition, given, said)


@pytest.mark.parametrize("seed", range(80))
def test_runs_are_made_of_templates_alike(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)

    def template(number: int) -> Json:
        names = choice.sample("abcdef", choice.randint(0, 2))
        spec: Json = {"metrics": [random_metric(choice, name) for name in names]}
        spec["args"] = [
            {"name": name, **({"value": choice.choice("12")} if choice.random() < 0.6 else {})}
            for name in choice.sample("xyz", choice.randint(0, 2))
        ]
        if choice.random() < 0.3:
            spec["dryRun"] = [{"metricName": choice.choice("ab")}]
        return {"metadata": {"name": f"t{number}"}, "spec": spec}

    own, of_cluster = [template(1), template(2)], [template(3)]
    given = [{"name": name, "value": choice.choice("345")} for name in choice.sample("xyzw", 2)]
    alike(
        lambda: filled(oracle.ask("compose", templates=own, cluster=of_cluster, args=given)),
        lambda: making.run_spec(own, of_cluster, given),
        (own, of_cluster, given),
    )


PATHS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels['app']",
    "metadata.labels['none']", "spec.replicas", "spec.paused",
    "spec.template.spec.containers[0].image", "spec.template.spec.containers[4].image",
    "spec.template.spec.containers", "spec.nothing", "spec.template.spec.containers.x",
    "spec.replicas.x", "status.abort",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_rollouts_fields_are_read_alike(oracle: Oracle, path: str) -> None:
    rollout = {
        "metadata": {"name": "r", "namespace": "n", "uid": "u", "labels": {"app": "web"}},
        "spec": {
            "replicas": 3,
            "paused": True,
            "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
        "status": {"abort": True},
    }
    asked = [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    sets: Json = {"new": {"metadata": {}}, "stable": {"metadata": {}}}
    alike(
        lambda: oracle.ask("arguments", rollout=rollout, runArgs=asked, **sets),
        lambda: making.arguments(asked, rollout, stable_hash="", latest_hash=""),
        path,
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_same_finished_runs_go(oracle: Oracle, seed: int) -> None:
    choice = random.Random(seed)
    key = "rollouts-pod-template-hash"
    sets: list[Json] = [
        {"metadata": {"name": "h0", "labels": {key: "h0"}}},
        {
            "metadata": {
                "name": "h1",
                "labels": {key: "h1"},
                "deletionTimestamp": "2026-01-01T00:00:00Z",
            }
        },
    ]
    runs = [
        {
            "metadata": {
                "name": f"run{number}",
                "creationTimestamp": f"2026-01-01T00:00:{number:02}Z",
                "labels": choice.choice([{}, *[{key: "h0"}] * 6, {key: "h1"}, {key: "h2"}]),
            },
            "status": {"phase": choice.choice([*PHASES, RUNNING, ""])},
        }
        for number in choice.sample(range(50), 12)
    ]
    limits = [choice.randrange(4), choice.randrange(4)]
    theirs = oracle.ask("delete", runs=runs, replicaSets=sets, limits=limits)
    ours = history.to_delete(runs, sets, successful=limits[0], unsuccessful=limits[1])
    assert sorted(ours) == sorted(theirs)
