"""What a source asks for is edited into a kustomization as `kustomize edit` does it."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops.renderers.kustomize import edited
from fairway.gitops.source import parse
from fairway.model.errors import InvalidInput

Json = dict[str, Any]


def made(document: Json, **wishes: Any) -> Json:
    source = parse({"repoURL": "x", "kustomize": wishes})
    assert source.kustomize is not None
    return edited(document, source.kustomize, {"ARGOCD_APP_NAME": "shop"})


def test_names_and_the_namespace_replace_the_files() -> None:
    found = made({"namePrefix": "a-"}, namePrefix="b-", nameSuffix="-c", namespace="web")
    assert found == {"namePrefix": "b-", "nameSuffix": "-c", "namespace": "web"}


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("nginx:1.2", {"name": "nginx", "newTag": "1.2"}),
        ("nginx@sha256:abc", {"name": "nginx", "digest": "sha256:abc"}),
        (
            "nginx=reg:5000/x/nginx:1",
            {"name": "nginx", "newName": "reg:5000/x/nginx", "newTag": "1"},
        ),
        ("nginx=other", {"name": "nginx", "newName": "other"}),
        ("a=b:1@sha256:c", {"name": "a", "newName": "b", "newTag": "1", "digest": "sha256:c"}),
        ("x=y:$ARGOCD_APP_NAME", {"name": "x", "newName": "y", "newTag": "shop"}),
    ],
)
def test_an_image_is_written_in_one_text(text: str, image: Json) -> None:
    assert made({}, images=[text])["images"] == [image]


def test_an_image_replaces_the_files_and_a_star_keeps_its_part() -> None:
    there = {"images": [{"name": "a", "newName": "b", "newTag": "1"}, {"name": "z", "newTag": "2"}]}
    assert made(there, images=["a=c:*"])["images"] == [
        {"name": "a", "newName": "c", "newTag": "1"},
        {"name": "z", "newTag": "2"},
    ]


@pytest.mark.parametrize("text", ["nginx", "", "=x:1"])
def test_an_image_that_changes_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="changes no image"):
        made({}, images=[text])


def test_labels_and_annotations_are_added_and_replaced_only_by_force() -> None:
    there = {"commonLabels": {"a": "1"}, "commonAnnotations": {"b": "2"}}
    found = made(there, commonLabels={"app": "$ARGOCD_APP_NAME"}, commonAnnotations={"c": "3"})
    assert found["commonLabels"] == {"a": "1", "app": "shop"}
    assert found["commonAnnotations"] == {"b": "2", "c": "3"}
    with pytest.raises(InvalidInput, match="a is already"):
        made(there, commonLabels={"a": "9"})
    assert made(there, commonLabels={"a": "9"}, forceCommonLabels=True)["commonLabels"] == {
        "a": "9"
    }


def test_labels_without_selectors_are_a_group_of_their_own() -> None:
    found = made({}, commonLabels={"a": "1"}, labelWithoutSelector=True, labelIncludeTemplates=True)
    assert found["labels"] == [{"pairs": {"a": "1"}, "includeTemplates": True}]
    with pytest.raises(InvalidInput, match="labelWithoutSelector"):
        made({}, commonLabels={"a": "1"}, labelIncludeTemplates=True)


def test_replicas_patches_and_components_join_the_files() -> None:
    there = {
        "replicas": [{"name": "a", "count": 1}, {"name": "b", "count": 2}],
        "patches": [{"path": "one.yaml"}],
        "components": ["../x"],
    }
    found = made(
        there,
        replicas=[{"name": "a", "count": "5"}],
        patches=[{"patch": "- op: test", "target": {"kind": "Pod"}}],
        components=["../x", "../y"],
    )
    assert found["replicas"] == [{"name": "a", "count": 5}, {"name": "b", "count": 2}]
    assert found["patches"] == [
        {"path": "one.yaml"},
        {"patch": "- op: test", "target": {"kind": "Pod"}},
    ]
    assert found["components"] == ["../x", "../y"]
    with pytest.raises(InvalidInput, match="no number"):
        made({}, replicas=[{"name": "a", "count": "many"}])
