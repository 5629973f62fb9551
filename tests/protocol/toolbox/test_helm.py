"""Helm and kustomize by the toolbox are what the programs themselves make."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from toolboxcharts import CHART, chart, kustomization, write

from fairway.model.errors import InvalidInput
from fairway.native.helm import (
    HelmLint,
    HelmPackage,
    HelmShow,
    HelmTemplate,
    Kustomize,
    merged,
)
from fairway.native.programs import find
from fairway.native.toolbox import Toolbox


def helm(folder: Path, *words: str) -> str:
    """What `helm template` prints."""
    native = find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    command = [str(native), "helm", "template", "rel", "web", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_chart_renders_to_the_byte_as_helm_template(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    (tmp_path / "more.yaml").write_text("replicas: 5\nlist: [a, b]\n")
    (tmp_path / "note.txt").write_text("from a file\n")
    made = await toolbox.ask(
        HelmTemplate(
            chart="web",
            release="rel",
            value_files=("more.yaml",),
            values=("count=3,flag=true", "nested.a[1]=x"),
            string_values=("text=5",),
            file_values=("note=note.txt",),
            json_values=('j={"k":[1,2.5,null]}',),
            literal_values=("lit=a,b=c",),
            api_versions=("example.com/v1",),
            kube_version="1.31.0",
            include_crds=True,
        ),
        folder=tmp_path,
    )
    said = helm(
        tmp_path, "-f", "more.yaml", "--set", "count=3,flag=true", "--set", "nested.a[1]=x",
        "--set-string", "text=5", "--set-file", "note=note.txt",
        "--set-json", 'j={"k":[1,2.5,null]}', "--set-literal", "lit=a,b=c",
        "--api-versions", "example.com/v1", "--kube-version", "1.31.0", "--include-crds",
    )  # fmt: skip
    assert made.manifest == said
    assert "example: yes, v1.31.0" in said
    assert "from a file" in said
    assert made.chart.name == "web"


async def test_hooks_tests_crds_and_upgrade_are_as_asked(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    plain = await toolbox.ask(HelmTemplate(chart="web", release="rel"), folder=tmp_path)
    assert plain.manifest == helm(tmp_path)
    hooks = {hook.name: hook for hook in plain.hooks}
    assert hooks.keys() == {"rel-before", "rel-test"}
    assert (hooks["rel-before"].events, hooks["rel-before"].weight) == (["pre-install"], -5)
    assert hooks["rel-before"].delete_policies == ["hook-succeeded"]
    assert "CustomResourceDefinition" not in plain.manifest
    other = HelmTemplate(chart="web", release="rel", skip_tests=True, is_upgrade=True)
    made = await toolbox.ask(other, folder=tmp_path)
    assert made.manifest == helm(tmp_path, "--skip-tests", "--is-upgrade")
    assert "upgrade: true" in made.manifest
    bare = HelmTemplate(chart="web", release="rel", no_hooks=True)
    assert (await toolbox.ask(bare, folder=tmp_path)).manifest == helm(tmp_path, "--no-hooks")
    assert made.notes.strip() == "Thank you for rel."


async def test_objects_come_with_the_template_that_made_them(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    asked = HelmTemplate(chart="web", release="rel", objects=True, include_crds=True)
    made = await toolbox.ask(asked, folder=tmp_path)
    found = [(one.source, one.object["kind"], one.hook) for one in made.objects]
    assert ("web/templates/map.yaml", "ConfigMap", False) in found
    assert ("web/templates/before.yaml", "Job", True) in found
    assert found[0][1] == "CustomResourceDefinition"


async def test_values_of_the_caller_come_after_the_files(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    (tmp_path / "a.yaml").write_text("count: 1\ntext: file\n")
    asked = HelmTemplate(
        chart="web",
        value_files=("a.yaml",),
        json_values=merged(({"count": 2, "text": "object"},), ()),
        values=("text=set",),
    )
    made = await toolbox.ask(asked, folder=tmp_path)
    assert 'count: "2"' in made.manifest
    assert "text: set" in made.manifest


async def test_subcharts_come_from_a_folder_or_a_place_inside(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    for version in ("0.1.0", "0.2.0", "1.0.0"):
        packed = await toolbox.ask(HelmPackage(chart="web", version=version), folder=tmp_path)
        write(tmp_path / "charts" / packed.name, packed.data)
    write(tmp_path / "lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.0.0\n")
    write(tmp_path / "lib/templates/l.yaml", "kind: Lib\n")
    write(
        tmp_path / "app/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n"
        "- {name: web, version: ^0, repository: 'https://charts.invalid', alias: front}\n"
        "- {name: lib, version: 1.x.x, repository: 'file://../lib'}\n",
    )
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(HelmTemplate(chart="app"), folder=tmp_path)
    assert caught.value.code == "chart-dependencies"
    assert "web" in str(caught.value)
    asked = HelmTemplate(chart="app", dependencies="charts", values=("front.text=sub",))
    made = await toolbox.ask(asked, folder=tmp_path)
    assert "# Source: app/charts/front/templates/map.yaml" in made.manifest
    assert "text: sub" in made.manifest
    assert "chart: front-0.2.0" in made.manifest
    assert "kind: Lib" in made.manifest


async def test_the_same_chart_makes_the_same_archive(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    asked = HelmPackage(chart="web", version="2.3.4", app_version="9", time=1_700_000_000)
    one, two = [await toolbox.ask(asked, folder=tmp_path) for _ in range(2)]
    os.utime(tmp_path / "web/values.yaml", (1, 1))
    three = await toolbox.ask(asked, folder=tmp_path)
    assert one.data == two.data == three.data
    assert one.name == "web-2.3.4.tgz"
    with tarfile.open(fileobj=io.BytesIO(one.data)) as archive:
        assert {member.mtime for member in archive} == {1_700_000_000}
    write(tmp_path / one.name, one.data)
    plain = await toolbox.ask(HelmTemplate(chart=one.name, release="rel"), folder=tmp_path)
    assert "chart: web-2.3.4" in plain.manifest


async def test_show_tells_what_a_chart_holds(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    shown = await toolbox.ask(HelmShow(chart="web"), folder=tmp_path)
    assert (shown.chart.name, shown.chart.app_version) == ("web", "1.0")
    assert shown.files["values.yaml"] == CHART["values.yaml"]
    assert len(shown.crds) == 1
    assert "templates/map.yaml" in shown.files


async def test_lint_names_the_place(toolbox: Toolbox, tmp_path: Path):
    chart(tmp_path)
    good = await toolbox.ask(HelmLint(chart="web"), folder=tmp_path)
    assert good.passed
    assert [one.severity for one in good.messages] == ["info"]
    write(tmp_path / "web/templates/bad.yaml", "a: {{ .Values.x.y }}\n")
    bad = await toolbox.ask(HelmLint(chart="web"), folder=tmp_path)
    assert not bad.passed
    assert any("bad.yaml:1" in one.message for one in bad.messages)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a:\n  b: {{ .Values.x.y.z }}\n", "web/templates/bad.yaml:2:15"),
        ("a: b\n c: d\n", "web/templates/bad.yaml:2"),
        ("{{ if }}\n", "web/templates/bad.yaml:1"),
        ('{{ fail "not so" }}', "web/templates/bad.yaml:1:3"),
        ('{{ env "HOME" }}', "web/templates/bad.yaml:1"),
    ],
)
async def test_a_mistake_in_a_template_has_its_place(
    toolbox: Toolbox, tmp_path: Path, text: str, place: str
):
    chart(tmp_path)
    write(tmp_path / "web/templates/bad.yaml", text)
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(HelmTemplate(chart="web"), folder=tmp_path)
    assert (caught.value.code, caught.value.where) == ("helm-render", place)


async def test_a_chart_that_is_none_is_an_error(toolbox: Toolbox, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "bad/Chart.yaml", "name: [\n")
    write(tmp_path / "no.tgz", "no archive")
    for name, code in {"none": "no-file", "empty": "bad-chart", "bad": "bad-chart",
                       "no.tgz": "bad-chart"}.items():  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            await toolbox.ask(HelmTemplate(chart=name), folder=tmp_path)
        assert caught.value.code == code, name


async def test_kustomize_builds_overlays(toolbox: Toolbox, tmp_path: Path):
    kustomization(tmp_path)
    text = await toolbox.ask(Kustomize(path="over"), folder=tmp_path)
    assert "name: p-plain" in text.manifest
    parsed = await toolbox.ask(Kustomize(path="over", objects=True), folder=tmp_path)
    names = [one["metadata"]["name"] for one in parsed.objects]
    assert names[0] == "p-plain"
    assert names[1].startswith("p-made-")


async def test_kustomize_keeps_to_its_folder_unless_told(toolbox: Toolbox, tmp_path: Path):
    kustomization(tmp_path)
    write(tmp_path / "over/kustomization.yaml", "resources: [../base/map.yaml]\n")
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(Kustomize(path="over"), folder=tmp_path)
    assert "is not in or below" in str(caught.value)
    loose = await toolbox.ask(Kustomize(path="over", restrictor="none"), folder=tmp_path)
    assert "name: plain" in loose.manifest


@pytest.mark.parametrize(
    "remote",
    [
        "https://example.invalid/x//y?ref=v1",
        "git@example.invalid:x/y.git",
        "https://x.invalid/a.yaml",
    ],
)
async def test_kustomize_fetches_nothing(toolbox: Toolbox, tmp_path: Path, remote: str):
    write(tmp_path / "kustomization.yaml", f"resources: ['{remote}']\n")
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(Kustomize(), folder=tmp_path)
    assert caught.value.code == "no-network"


async def test_kustomize_runs_no_helm(toolbox: Toolbox, tmp_path: Path):
    write(tmp_path / "kustomization.yaml", "helmCharts: [{name: x, repo: 'https://y.invalid'}]\n")
    with pytest.raises(InvalidInput, match="enable-helm"):
        await toolbox.ask(Kustomize(), folder=tmp_path)
