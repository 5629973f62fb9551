"""Rendered manifests become what an application wants."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops import targets, tracking
from fairway.gitops.objects import ObjectKey, Targets
from fairway.model.errors import InvalidInput

Json = dict[str, Any]
CLUSTERED = {("rbac.authorization.k8s.io", "ClusterRole"), ("", "Namespace")}


def scope(group: str, kind: str) -> bool | None:
    return None if group == "unknown.dev" else (group, kind) not in CLUSTERED


def prepared(*objects: Json) -> Targets:
    return targets.prepare(list(objects), instance="shop", namespace="web", namespaced=scope)


def obj(kind: str, name: str, api: str = "v1", **meta: Any) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **meta}}


def test_an_object_gets_the_applications_namespace_and_its_tracking_id() -> None:
    (found,) = prepared(obj("ConfigMap", "a")).objects
    assert found.key == ObjectKey("", "ConfigMap", "web", "a")
    assert found.object["metadata"]["namespace"] == "web"
    assert tracking.of(found.object) == tracking.Tracked("shop", "", "ConfigMap", "web", "a")


def test_an_object_of_another_namespace_stays_there() -> None:
    (found,) = prepared(obj("ConfigMap", "a", namespace="other")).objects
    assert found.object["metadata"]["annotations"][tracking.ANNOTATION] == "shop:/ConfigMap:other/a"


def test_an_object_without_namespaces_has_the_destinations_in_its_id_alone() -> None:
    role = obj("ClusterRole", "r", "rbac.authorization.k8s.io/v1", namespace="odd")
    (found,) = prepared(role).objects
    assert "namespace" not in found.object["metadata"]
    said = found.object["metadata"]["annotations"][tracking.ANNOTATION]
    assert said == "shop:rbac.authorization.k8s.io/ClusterRole:web/r"


def test_a_kind_that_the_cluster_does_not_know_is_taken_to_have_namespaces() -> None:
    (found,) = prepared(obj("Thing", "t", "unknown.dev/v1")).objects
    assert found.key.namespace == "web"


def test_a_definition_of_resources_gets_no_tracking_id() -> None:
    crd = obj("CustomResourceDefinition", "x.y", "apiextensions.k8s.io/v1")
    (found,) = prepared(crd).objects
    assert tracking.of(found.object) is None


def test_lists_are_taken_apart_and_empty_ones_are_nothing() -> None:
    whole = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [obj("ConfigMap", "a"), obj("Secret", "b")],
    }
    empty = {"apiVersion": "v1", "kind": "RoleList", "items": None}
    assert [one.key.name for one in prepared(whole, empty).objects] == ["a", "b"]


def test_of_two_manifests_for_one_object_the_last_counts_and_a_condition_warns() -> None:
    one, other = obj("ConfigMap", "a"), obj("ConfigMap", "a", namespace="web", labels={"x": "y"})
    made = prepared(one, obj("ConfigMap", "b"), other)
    assert [one.object["metadata"].get("labels") for one in made.objects] == [{"x": "y"}, None]
    (warning,) = made.conditions
    assert warning.type == "RepeatedResourceWarning"
    assert warning.message == (
        "Resource /ConfigMap/web/a appeared 2 times among application resources."
    )


def test_objects_with_generated_names_are_never_the_same() -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "run-"}}
    assert len(prepared(job, job).objects) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"apiVersion": "v1", "kind": "ConfigMap"},
        {"apiVersion": "v1", "metadata": {"name": "a"}},
        obj("ConfigMap", "a", annotations={"x": 1}),
        {"apiVersion": "v1", "kind": "List", "items": ["text"]},
    ],
)
def test_what_is_no_object_is_refused(bad: Json) -> None:
    with pytest.raises(InvalidInput) as caught:
        prepared(bad)
    assert caught.value.code == "bad-manifest"


def test_the_given_manifests_are_left_as_they_were() -> None:
    given = obj("ConfigMap", "a", annotations={"x": "y"})
    prepared(given)
    assert given["metadata"] == {"name": "a", "annotations": {"x": "y"}}


@pytest.mark.parametrize("text", ["", "shop", "a:b:c", "a:b/c:d", "a:b/c/d:e/f", "a:b/c:d/e/f"])
def test_a_text_of_another_form_is_no_tracking_id(text: str) -> None:
    assert tracking.parse(text) is None


def test_an_application_elsewhere_has_its_namespace_in_its_instance() -> None:
    assert tracking.instance("shop", "argocd", "argocd") == "shop"
    assert tracking.instance("shop", "team", "argocd") == "team_shop"


def test_an_id_that_was_copied_to_another_object_is_not_its_own() -> None:
    tracked = tracking.parse("shop:/ConfigMap:web/a")
    assert tracked is not None
    assert tracking.is_own(obj("ConfigMap", "a", namespace="web"), tracked)
    assert not tracking.is_own(obj("ConfigMap", "copy", namespace="web"), tracked)
    assert not tracking.is_own(obj("ConfigMap", "a", namespace="else"), tracked)


def test_another_installations_object_is_not_ours() -> None:
    marked = tracking.marked(obj("ConfigMap", "a"), "shop", "web")
    marked["metadata"]["annotations"][tracking.INSTALLATION] = "other"
    assert tracking.of(marked) is None
