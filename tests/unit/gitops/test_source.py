"""An application's source as it is read."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops.source import as_json, is_chart, parse
from fairway.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"plugin": {"name": "x"}}, "spec.source.plugin"),
        ({"ref": "values"}, "spec.source.ref"),
        ({"directory": {"jsonnet": {"libs": ["a"]}}}, "spec.source.directory.jsonnet"),
        ({"helm": {"passCredentials": True}}, "spec.source.helm.passCredentials"),
        ({"kustomize": {"version": "v4"}}, "spec.source.kustomize.version"),
        ({"kustomize": {"patches": [{"plugin": 1}]}}, "spec.source.kustomize.patches[0].plugin"),
    ],
)
def test_a_field_outside_the_subset_is_refused_with_its_path(
    given: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse({"repoURL": "x", **given})
    assert str(caught.value) == f"{path} is not supported yet"


def test_a_field_that_says_nothing_may_be_there() -> None:
    empty = {
        "repoURL": "x",
        "ref": "",
        "plugin": None,
        "helm": {"passCredentials": False},
        "directory": None,
    }
    assert parse(empty).helm is not None
    assert parse({"repoURL": "x", "directory": {"jsonnet": {}, "recurse": True}}).directory


def test_a_value_of_a_wrong_type_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidInput, match=r"spec\.source\.helm\.valueFiles"):
        parse({"repoURL": "x", "helm": {"valueFiles": "one.yaml"}})


def test_a_source_goes_to_json_and_back() -> None:
    given = {
        "repoURL": "x",
        "targetRevision": "1.x",
        "helm": {"valuesObject": {"a": None, "b": [1]}, "parameters": [{"name": "a"}]},
        "kustomize": {"patches": [{"patch": "x", "target": {"kind": "Pod"}}, {"path": "y"}]},
    }
    assert parse(as_json(parse(given))) == parse(given)


def test_a_chart_is_named_by_its_name_or_its_registrys_address() -> None:
    assert is_chart(parse({"repoURL": "registry.example.org", "chart": "shop"}))
    assert is_chart(parse({"repoURL": "oci://registry.example.org/charts/shop"}))
    assert not is_chart(parse({"repoURL": "https://git.example.org/shop"}))
