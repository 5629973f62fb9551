"""Plain manifests, read from a tree of files."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.gitops.objects import Destination
from fairway.gitops.renderer import Files, Job, discovered, expanded, explicit, overridden
from fairway.gitops.renderers.plain import Plain
from fairway.gitops.source import parse
from fairway.gitops.sources.archives import MemoryTree
from fairway.model.errors import FairwayError, InvalidInput

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def tree(**files: str) -> MemoryTree:
    names = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    return MemoryTree({name: text.encode() for name, text in names.items()})


async def rendered(found: MemoryTree, path: str = "", **directory: Any) -> list[str]:
    job = Job(
        app="shop",
        source=parse({"repoURL": "x", "directory": directory}),
        path=path,
        destination=Destination(namespace="web"),
        variables={},
    )
    plain = Plain()
    entries = await plain.needs(found, job)
    contents = await found.blobs([one.sha for one in entries])
    made = plain.render(Files(entries=tuple(entries), contents=contents), job)
    return [one["metadata"]["name"] for one in made]


async def test_all_manifests_of_the_folder_are_read_in_order() -> None:
    found = tree(b_yaml=MAP % "b", a_yml=MAP % "a1" + "---\n" + MAP % "a2", README_md="# hello")
    assert await rendered(found) == ["a1", "a2", "b"]


async def test_folders_below_are_read_only_when_that_is_asked_for() -> None:
    found = tree(top_yaml=MAP % "top", below__one_yaml=MAP % "one")
    assert await rendered(found) == ["top"]
    assert await rendered(found, recurse=True) == ["one", "top"]


async def test_patterns_choose_by_the_path_below_the_folder() -> None:
    found = tree(app__a_yaml=MAP % "a", app__x__b_yaml=MAP % "b", app__x__c_yaml=MAP % "c")
    assert await rendered(found, "app", recurse=True, include="x/*") == ["b", "c"]
    assert await rendered(found, "app", recurse=True, exclude="{a.yaml,x/c*}") == ["b"]


async def test_json_has_one_object_and_a_marked_file_is_left_out() -> None:
    one = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}'
    found = tree(a_json=one, b_yaml=MAP % "b" + "# +argocd:skip-file-rendering\n")
    assert await rendered(found) == ["j"]
    with pytest.raises(FairwayError, match=r"a\.json"):
        await rendered(tree(a_json=one + one))


async def test_yaml_of_something_else_is_left_out() -> None:
    assert await rendered(tree(values_yaml="a: 1\nb: [2]\n", a_yaml=MAP % "a")) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        MAP % "a" + "---\n- not: an object\n",
        "apiVersion: v1\nkind: [\nmetadata: {name: a}\n",
    ],
)
async def test_a_manifest_with_a_mistake_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(FairwayError, match=r"a\.yaml"):
        await rendered(tree(a_yaml=text))


async def test_a_jsonnet_file_is_refused_until_it_is_supported() -> None:
    with pytest.raises(InvalidInput, match=r"main\.jsonnet: a Jsonnet file is not supported yet"):
        await rendered(tree(main_jsonnet="{}"))


async def test_the_kind_of_a_source_is_found_by_its_files() -> None:
    assert await discovered(tree(a_yaml=MAP), "") == "Directory"
    assert await discovered(tree(web__Chart_yaml="name: web"), "web") == "Helm"
    both = tree(Chart_yaml="name: web", kustomization_yaml="resources: []")
    assert await discovered(both, "") == "Kustomize"


def test_a_source_of_two_kinds_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Helm,Directory"):
        explicit(parse({"repoURL": "x", "helm": {}, "directory": {}}))


async def test_files_of_the_repository_override_parameters_but_never_the_place() -> None:
    found = MemoryTree(
        {
            "app/.argocd-source.yaml": b"path: other\nhelm: {releaseName: one, values: 'a: 1'}\n",
            "app/.argocd-source-shop.yaml": b"helm: {releaseName: two}\n",
        }
    )
    source = parse({"repoURL": "x", "path": "app", "helm": {"skipCrds": True}})
    made = await overridden(found, "app", "shop", source)
    assert made.path == "app"
    assert made.helm is not None
    assert (made.helm.release_name, made.helm.values, made.helm.skip_crds) == ("two", "a: 1", True)


async def test_an_overriding_file_may_not_ask_for_what_is_not_supported() -> None:
    found = MemoryTree({".argocd-source.yaml": b"plugin: {name: x}\n"})
    with pytest.raises(InvalidInput, match=r"\.argocd-source\.yaml\.plugin is not supported yet"):
        await overridden(found, "", "shop", parse({"repoURL": "x"}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$NAME-${NAME}", "shop-shop"),
        ("$$NAME", "$NAME"),
        ("a$OTHER.", "a."),
        ("5 $ each", "5 $ each"),
    ],
)
def test_variables_are_put_in(text: str, value: str) -> None:
    assert expanded(text, {"NAME": "shop"}) == value
