"""What an environment's folder in Git holds beside its applications."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops.globs import glob
from fairway.model.errors import BadFile
from fairway.release import configuration

APPLICATION = b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata: {A: b}\n"
TEMPLATE = b"apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: smoke}\n"
ROOT: dict[str, Any] = {
    "metadata": {"name": "production"},
    "spec": {
        "source": {"repoURL": "https://fairway.test/acme/environments.git", "path": "production/"},
        "destination": {"name": "in-cluster", "namespace": "argocd"},
    },
}


def test_configuration_is_what_is_not_the_hubs() -> None:
    found = configuration.read(
        {"b.yaml": APPLICATION, "a.yml": MAP, "smoke.yaml": TEMPLATE, "README.md": b"x: [",
         "deeper/c.yaml": MAP}
    )  # fmt: skip
    assert [one["kind"] for one in found.objects] == ["ConfigMap", "AnalysisTemplate"]
    assert found.hub == ("b.yaml",)
    assert found.left == ()
    assert found.namespaces == ["shop"]


def test_what_stands_in_the_file_of_an_application_is_named_and_not_carried() -> None:
    found = configuration.read({"web.yaml": APPLICATION + b"---\n" + MAP})
    assert found.objects == ()
    assert found.left == (
        "ConfigMap web stands in web.yaml beside an Application: it is carried from a file of its"
        " own",
    )


def test_a_folder_that_something_builds_is_not_carried_and_says_so() -> None:
    found = configuration.read({"kustomization.yaml": b"resources: [a.yaml]\n", "a.yaml": MAP})
    assert found.objects == ()
    assert "kustomization.yaml" in found.left[0]


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadFile) as caught:
        configuration.read({"a.yaml": b"a: [b"})
    assert caught.value.where == "a.yaml"


def test_the_application_of_a_folder_is_found_by_repository_and_path() -> None:
    assert configuration.root([ROOT], "acme/environments", "production") is ROOT
    assert configuration.root([ROOT], "acme/environments", "staging") is None
    assert configuration.root([ROOT], "me/environments", "production") is None
    assert configuration.root([{"spec": {}}], "acme/environments", "") is None


@pytest.mark.parametrize("files", [["web.yaml"], ["web.yaml", "shop.yml"]])
def test_its_copy_leaves_the_hubs_files_out(files: list[str]) -> None:
    spec = configuration.without(ROOT["spec"], files)
    assert spec is not None
    chosen = spec["source"]["directory"]["exclude"]
    assert all(glob(chosen, one) for one in files)
    assert not glob(chosen, "configuration.yaml")
    assert "directory" not in ROOT["spec"]["source"]
    assert configuration.without(ROOT["spec"], []) == ROOT["spec"]


@pytest.mark.parametrize("more", [{"helm": {"releaseName": "x"}}, {"directory": {"recurse": True}}])
def test_an_application_that_does_more_is_not_copied(more: dict[str, Any]) -> None:
    source = {**ROOT["spec"]["source"], **more}
    assert configuration.without({**ROOT["spec"], "source": source}, ["web.yaml"]) is None


def test_what_names_no_namespace_lies_in_the_applications_own() -> None:
    objects = [
        {"kind": "A", "metadata": {"name": "a"}},
        {"kind": "B", "metadata": {"namespace": "b"}},
    ]
    placed = configuration.placed(objects, "shop")
    assert [one["metadata"]["namespace"] for one in placed] == ["shop", "b"]
