"""Runs of templates: flattened, merged, with a Rollout's arguments; and which are kept."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.model.errors import InvalidInput, NotFound
from fairway.rollout.analysis import history, making

Json = dict[str, Any]


def template(*names: str, **spec: Any) -> Json:
    metrics = [{"name": name, "provider": {"job": {}}} for name in names]
    return {"spec": {"metrics": metrics, **spec}}


def test_templates_are_collected_with_those_that_they_name_and_once_each() -> None:
    known = {
        ("a", False): template("1", templates=[{"templateName": "c", "clusterScope": True}]),
        ("c", True): template("2", templates=[{"templateName": "a"}]),
    }
    own, of_cluster = making.templates(
        [{"templateName": "a"}, {"templateName": "a"}], lambda *key: known.get(key)
    )
    assert (own, of_cluster) == ([known["a", False]], [known["c", True]])
    with pytest.raises(NotFound, match="AnalysisTemplate 'x' not found"):
        making.templates([{"templateName": "x"}], lambda *_key: None)


def test_a_run_has_all_metrics_and_the_arguments_that_are_declared() -> None:
    one = template("a", args=[{"name": "x"}, {"name": "y", "value": "1"}])
    two = template("b", args=[{"name": "x", "value": "0"}], dryRun=[{"metricName": "b"}])
    spec = making.run_spec(
        [one],
        [two],
        [{"name": "x", "value": "2"}, {"name": "unknown", "value": "3"}],
        retention=[{"metricName": "a", "limit": 3}],
    )
    assert [each["name"] for each in spec["metrics"]] == ["a", "b"]
    assert spec["args"] == [{"name": "x", "value": "2"}, {"name": "y", "value": "1"}]
    assert spec["dryRun"] == [{"metricName": "b"}]
    assert spec["measurementRetention"] == [{"metricName": "a", "limit": 3}]


@pytest.mark.parametrize(
    ("templates", "sentence"),
    [
        ([template("a"), template("a")], "two metrics have the same name 'a'"),
        ([template("a", args=[{"name": "x"}])], "args.x was not resolved"),
        (
            [
                template("a", args=[{"name": "x", "value": "1"}]),
                template("b", args=[{"name": "x", "value": "2"}]),
            ],
            "Argument `x` specified multiple times with different values: '1', '2'",
        ),
        (
            [template("a", dryRun=[{"metricName": "a"}, {"metricName": "a"}])],
            "two Dry-Run metric rules have the same name 'a'",
        ),
    ],
)
def test_templates_that_do_not_fit_are_refused(templates: list[Json], sentence: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        making.run_spec(templates, [], [])
    assert raised.value.message == sentence


ROLLOUT: Json = {
    "metadata": {"name": "r", "namespace": "n", "labels": {"a/b": "v"}, "uid": "u"},
    "spec": {"replicas": 3, "paused": True, "list": [{"image": "i"}]},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"podTemplateHashValue": "Stable"}, "s"),
        ({"podTemplateHashValue": "Latest"}, "l"),
        ({"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}, "v"),
        ({"fieldRef": {"fieldPath": "metadata.labels"}}, 'a/b="v"'),
        ({"fieldRef": {"fieldPath": "metadata.namespace"}}, "n"),
        ({"fieldRef": {"fieldPath": "spec.list[0].image"}}, "i"),
        ({"fieldRef": {"fieldPath": "spec.replicas"}}, "3"),
        ({"fieldRef": {"fieldPath": "spec.paused"}}, "true"),
    ],
)
def test_an_argument_is_taken_from_the_rollout(source: Json, value: str) -> None:
    found = making.arguments(
        [{"name": "x", "valueFrom": source}], ROLLOUT, stable_hash="s", latest_hash="l"
    )
    assert found == [{"name": "x", "value": value}]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("spec.nothing", "invalid path spec.nothing in rollout"),
        ("spec.list", "path spec.list in rollout must terminate in a primitive value"),
        ("spec.list[7].image", "index 7 out of range"),
        ("spec.list.x", "invalid index 'x'"),
        ("metadata.strange", "unsupported fieldPath: metadata.strange"),
    ],
)
def test_a_field_that_is_not_there_is_an_error(path: str, sentence: str) -> None:
    args = [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    with pytest.raises(InvalidInput) as raised:
        making.arguments(args, ROLLOUT, stable_hash="", latest_hash="")
    assert raised.value.message == sentence


def test_a_run_is_made_whole() -> None:
    made = making.compose(
        name="r",
        namespace="n",
        templates=[template("a")],
        cluster_templates=[],
        args=[],
        labels={"l": "1"},
        annotations={"a": "2"},
    )
    assert (made["kind"], made["metadata"]) == (
        "AnalysisRun",
        {"name": "r", "namespace": "n", "labels": {"l": "1"}, "annotations": {"a": "2"}},
    )
    assert making.same_spec(made["spec"], {**made["spec"], "terminate": True})


def run(name: str, phase: str, created: int, of: str | None = "h") -> Json:
    labels = {"rollouts-pod-template-hash": of} if of else {}
    at = f"2026-01-01T00:00:{created:02}Z"
    meta = {"name": name, "labels": labels, "creationTimestamp": at}
    return {"metadata": meta, "status": {"phase": phase}}


def test_the_newest_finished_runs_are_kept_and_those_of_replica_sets_that_are_there() -> None:
    sets: list[Json] = [
        {"metadata": {"labels": {"rollouts-pod-template-hash": "h"}}},
        {
            "metadata": {
                "labels": {"rollouts-pod-template-hash": "going"},
                "deletionTimestamp": "2026-01-01T00:00:00Z",
            }
        },
    ]
    runs = [
        run("old", "Successful", 1),
        run("new", "Successful", 2),
        run("bad", "Failed", 3),
        run("worse", "Error", 4),
        run("now", "Running", 0),
        run("lost", "Running", 9, of=None),
        run("gone", "Running", 9, of="gone"),
        run("going", "Running", 9, of="going"),
    ]
    found = history.to_delete(runs, sets, successful=1, unsuccessful=1)
    assert set(found) == {"old", "bad", "lost", "gone", "going"}
