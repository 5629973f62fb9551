"""Applications rendered from a repository, with the real Helm and kustomize."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fairway.git.folders import Folders
from fairway.gitops.objects import Destination, Json, Rendered
from fairway.gitops.rendering import Rendering, RenderRequest
from fairway.gitops.source import parse
from fairway.model.errors import FairwayError
from fairway.testing.gitwriter import write_commit

URL = "https://fairway.example.org/shop/config.git"
THERE = Destination(namespace="web", kube_version="v1.31.2-gke.7", api_versions=("v1", "x.dev/v1"))
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    "chart/values.yaml": "a: chart\nb: chart\nc: chart\nd: chart\ne: chart\n",
    "chart/crds/crd.yaml": "apiVersion: apiextensions.k8s.io/v1\n"
    "kind: CustomResourceDefinition\nmetadata: {name: things.x.dev}\n",
    "chart/templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\n"
    "metadata: {name: '{{ .Release.Name }}', namespace: '{{ .Release.Namespace }}'}\n"
    "data:\n"
    "{{- range $name, $value := .Values }}\n"
    "  {{ $name }}: {{ $value | toString | quote }}\n{{- end }}\n"
    "  kube: '{{ .Capabilities.KubeVersion }}'\n"
    "  has: '{{ .Capabilities.APIVersions.Has \"x.dev/v1\" }}'\n"
    "  install: '{{ .Release.IsInstall }}'\n",
    "chart/templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\n"
    "metadata: {name: before, annotations: {helm.sh/hook: 'pre-install'}}\n",
    "chart/templates/tests/test.yaml": "apiVersion: v1\nkind: Pod\n"
    "metadata: {name: test, annotations: {helm.sh/hook: test}}\n",
}

KUSTOMIZATION = {
    "base/kustomization.yaml": "resources: [map.yaml, sub]\n",
    "base/map.yaml": MAP % "m",
    "base/sub/kustomization.yaml": "resources: [more.yaml]\n",
    "base/sub/more.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
    "spec: {template: {spec: {containers: [{name: c, image: nginx}]}}}\n",
    "over/kustomization.yaml": "resources: [../base]\n"
    "configMapGenerator: [{name: g, files: [k=data.txt], envs: [.env]}]\n",
    "over/data.txt": "text",
    "over/.env": "A=b\n",
    "unrelated/x.yaml": MAP % "x",
}


class Repository:
    """A repository whose files a test writes."""

    def __init__(self, folders: Folders, rendering: Rendering) -> None:
        self._path = folders.path(7)
        self._rendering = rendering

    def write(self, files: dict[str, str | bytes | None], **more: Any) -> str:
        return write_commit(self._path, files, **more)

    async def render(
        self, path: str, *, revision: str = "", app: str = "shop", **source: Any
    ) -> Rendered:
        wanted = parse({"repoURL": URL, "path": path, "targetRevision": revision, **source})
        return await self._rendering.render(
            RenderRequest(app="shop", source=wanted, destination=THERE)
        )

    async def refused(self, path: str, **source: Any) -> FairwayError:
        with pytest.raises(FairwayError) as caught:
            await self.render(path, **source)
        return caught.value


@pytest.fixture
def repository(folders: Folders, rendering: Rendering) -> Repository:
    return Repository(folders, rendering)


def data(found: Rendered) -> Json:
    maps = [one for one in found.objects if one["kind"] == "ConfigMap"]
    values: Json = maps[0]["data"]
    return values


async def test_plain_manifests_come_from_the_folder_at_the_commit(repository: Repository) -> None:
    first = repository.write({"app/a.yaml": MAP % "one", "other/b.yaml": MAP % "b"})
    repository.write({"app/a.yaml": MAP % "two"})
    found = await repository.render("app")
    assert [one["metadata"]["name"] for one in found.objects] == ["two"]
    assert found.source_type == "Directory"
    old = await repository.render("./app/", revision=first)
    assert [one["metadata"]["name"] for one in old.objects] == ["one"]
    assert old.revision == first


async def test_a_commit_elsewhere_changes_the_revision_and_nothing_else(
    repository: Repository,
) -> None:
    repository.write({"app/a.yaml": MAP % "one"})
    before = await repository.render("app")
    sha = repository.write({"other/b.yaml": MAP % "b"})
    after = await repository.render("app")
    assert (after.revision, after.digest) == (sha, before.digest)
    assert after.objects is before.objects


async def test_a_link_is_followed_within_the_repository_and_never_out_of_it(
    repository: Repository,
) -> None:
    links = frozenset({"app/a.yaml", "bad/a.yaml", "far/a.yaml", "lost/a.yaml"})
    repository.write(
        {
            "real.yaml": MAP % "linked",
            "app/a.yaml": "../real.yaml",
            "bad/a.yaml": "../../outside.yaml",
            "far/a.yaml": "/etc/passwd",
            "lost/a.yaml": "nothing.yaml",
        },
        links=links,
    )
    found = await repository.render("app")
    assert [one["metadata"]["name"] for one in found.objects] == ["linked"]
    for path in ("bad", "far"):
        assert (await repository.refused(path)).code == "outside-folder"
    assert (await repository.render("lost")).objects == ()


async def test_a_chart_is_rendered_as_an_installation_into_the_destination(
    repository: Repository,
) -> None:
    repository.write(dict(CHART))
    found = await repository.render("chart")
    assert found.source_type == "Helm"
    kinds = sorted(one["kind"] for one in found.objects)
    assert kinds == ["ConfigMap", "CustomResourceDefinition", "Job", "Pod"]
    (made,) = (one for one in found.objects if one["kind"] == "ConfigMap")
    assert made["metadata"] == {"name": "shop", "namespace": "web"}
    assert made["data"]["kube"] == "v1.31.2"
    assert made["data"]["has"] == "true"
    assert made["data"]["install"] == "true"


async def test_values_win_in_argo_cds_order(repository: Repository) -> None:
    repository.write(
        {
            **CHART,
            "chart/one.yaml": "b: one\nc: one\nd: one\ne: one\n",
            "env/two.yaml": "c: two\nd: two\ne: two\n",
            "chart/file.txt": "from a file, yes",
        }
    )
    found = await repository.render(
        "chart",
        helm={
            "valueFiles": ["one.yaml", "/env/two.yaml"],
            "values": "d: lost\n",
            "valuesObject": {"d": "object", "e": "object"},
            "parameters": [
                {"name": "e", "value": "first"},
                {"name": "e", "value": "a,b"},
                {"name": "digits", "value": "0123", "forceString": True},
                {"name": "who", "value": "$ARGOCD_APP_NAME"},
            ],
            "fileParameters": [{"name": "f", "path": "file.txt"}],
            "releaseName": "named",
            "skipCrds": True,
            "skipTests": True,
        },
    )
    values = data(found)
    assert {name: values[name] for name in "abcde"} == {
        "a": "chart",
        "b": "one",
        "c": "two",
        "d": "object",
        "e": "a,b",
    }
    assert (values["digits"], values["who"], values["f"]) == ("0123", "shop", "from a file, yes")
    assert sorted(one["kind"] for one in found.objects) == ["ConfigMap", "Job"]
    assert found.objects[0]["metadata"]["name"] == "named"


async def test_a_null_in_the_source_takes_a_default_away(repository: Repository) -> None:
    repository.write(dict(CHART))
    found = await repository.render("chart", helm={"valuesObject": {"a": None}})
    assert "a" not in data(found)


@pytest.mark.parametrize(
    ("helm", "code"),
    [
        ({"valueFiles": ["nothing.yaml"]}, "no-path"),
        ({"valueFiles": ["../../out.yaml"]}, "outside-folder"),
        ({"valueFiles": ["https://example.org/values.yaml"]}, "source-field"),
        ({"valueFiles": ["*.yaml"]}, "source-field"),
        ({"version": "v2"}, "source-field"),
        ({"releaseName": "x" * 54}, "helm-release-name"),
        ({"values": "a: ["}, "bad-values"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused(
    repository: Repository, helm: Json, code: str
) -> None:
    repository.write(dict(CHART))
    assert (await repository.refused("chart", helm=helm)).code == code


async def test_missing_value_files_may_be_left_out(repository: Repository) -> None:
    repository.write(dict(CHART))
    wish = {"valueFiles": ["nothing.yaml"], "ignoreMissingValueFiles": True}
    assert data(await repository.render("chart", helm=wish))["a"] == "chart"


async def test_a_value_file_that_comes_later_is_seen(repository: Repository) -> None:
    repository.write(dict(CHART))
    wish = {"valueFiles": ["/env/late.yaml"], "ignoreMissingValueFiles": True}
    assert data(await repository.render("chart", helm=wish))["a"] == "chart"
    repository.write({"env/late.yaml": "a: late\n"})
    assert data(await repository.render("chart", helm=wish))["a"] == "late"


async def test_a_link_is_looked_through_although_its_folder_stays_the_same(
    repository: Repository,
) -> None:
    repository.write({"app/a.yaml": "../real.yaml"}, links=frozenset({"app/a.yaml"}))
    assert (await repository.render("app")).objects == ()
    repository.write({"real.yaml": MAP % "one"})
    assert [one["metadata"]["name"] for one in (await repository.render("app")).objects] == ["one"]


async def test_a_folder_that_stays_the_same_is_not_looked_into_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write({**CHART, "app/a.yaml": MAP % "one"})
    before = [await repository.render("app"), await repository.render("chart")]
    sha = repository.write({"other/b.yaml": MAP % "b"})
    monkeypatch.setattr("fairway.git.trees.below", None)
    after = [await repository.render("app"), await repository.render("chart")]
    assert [one.objects is two.objects for one, two in zip(before, after, strict=True)] == [
        True,
        True,
    ]
    assert {one.revision for one in after} == {sha}


async def test_the_revision_is_put_in_where_a_parameter_names_it(repository: Repository) -> None:
    repository.write(dict(CHART))
    wish = {"parameters": [{"name": "a", "value": "$ARGOCD_APP_REVISION_SHORT"}]}
    assert data(await repository.render("chart", helm=wish))["a"]
    sha = repository.write({"other/b.yaml": MAP % "b"})
    assert data(await repository.render("chart", helm=wish))["a"] == sha[:7]


async def test_a_chart_finds_its_neighbours(repository: Repository) -> None:
    needs = "dependencies: [{name: base, version: 1.x, repository: 'file://../base'}]\n"
    repository.write(
        {
            **CHART,
            "chart/Chart.yaml": str(CHART["chart/Chart.yaml"]) + needs,
            "base/Chart.yaml": "apiVersion: v2\nname: base\nversion: 1.0.0\n",
            "base/templates/a.yaml": MAP % "from-base",
        }
    )
    names = [one["metadata"]["name"] for one in (await repository.render("chart")).objects]
    assert "from-base" in names


async def test_a_template_with_a_mistake_is_named(repository: Repository) -> None:
    repository.write({**CHART, "chart/templates/bad.yaml": '{{ required "say it" .Values.no }}'})
    error = await repository.refused("chart")
    assert error.code == "helm-render"
    assert "say it" in str(error)


async def test_a_kustomization_is_built_with_what_it_names_elsewhere(
    repository: Repository,
) -> None:
    repository.write(dict(KUSTOMIZATION))
    found = await repository.render(
        "over",
        kustomize={
            "namePrefix": "p-",
            "images": ["nginx=registry.example.org/nginx@sha256:" + "a" * 64],
            "replicas": [{"name": "d", "count": 3}],
            "commonLabels": {"app": "$ARGOCD_APP_NAME"},
            "patches": [{"target": {"kind": "ConfigMap", "name": "m"},
                         "patch": "- {op: add, path: /data, value: {patched: 'yes'}}"}],
        },
    )  # fmt: skip
    assert found.source_type == "Kustomize"
    by_name = {one["metadata"]["name"].split("-")[1]: one for one in found.objects}
    assert by_name["m"]["data"] == {"patched": "yes"}
    assert by_name["g"]["data"] == {"k": "text", "A": "b"}
    assert by_name["d"]["spec"]["replicas"] == 3
    (container,) = by_name["d"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/nginx@sha256:" + "a" * 64
    assert {one["metadata"]["labels"]["app"] for one in found.objects} == {"shop"}


async def test_a_kustomization_is_known_again_until_what_it_names_changes(
    repository: Repository,
) -> None:
    repository.write(dict(KUSTOMIZATION))
    before = await repository.render("over")
    repository.write({"unrelated/x.yaml": MAP % "y"})
    assert (await repository.render("over")).objects is before.objects
    repository.write({"base/sub/more.yaml": MAP % "other"})
    assert (await repository.render("over")).digest != before.digest


async def test_a_remote_base_is_refused(repository: Repository) -> None:
    text = "resources: ['https://example.org/base?ref=main']\n"
    repository.write({"app/kustomization.yaml": text})
    assert (await repository.refused("app")).code in {"no-network", "kustomize-build"}


async def test_a_folder_that_is_not_there_is_named_with_the_commit(repository: Repository) -> None:
    sha = repository.write({"app/a.yaml": MAP % "one"})
    error = await repository.refused("nothing")
    assert (error.code, error.where) == ("no-path", "spec.source.path")
    assert sha in str(error)


async def test_who_asks_at_once_has_it_rendered_once(
    repository: Repository,
) -> None:
    repository.write(dict(CHART))
    found = await asyncio.gather(*(repository.render("chart") for _ in range(8)))
    assert all(one.objects is found[0].objects for one in found)


async def test_a_hard_refresh_renders_again(repository: Repository, rendering: Rendering) -> None:
    repository.write(dict(CHART))
    asked = RenderRequest(
        app="shop", source=parse({"repoURL": URL, "path": "chart"}), destination=THERE, hard=True
    )
    first, again = await rendering.render(asked), await rendering.render(asked)
    assert first.objects is not again.objects
    assert first.objects == again.objects


async def test_nothing_is_left_behind(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    repository.write({**CHART, "chart/templates/bad.yaml": '{{ fail "no" }}'})
    await repository.refused("chart")
    repository.write({"chart/templates/bad.yaml": None})
    await repository.render("chart")
    assert list(scratch.iterdir()) == []
