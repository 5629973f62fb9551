"""`fairway lint`, `compile` and `exec` evaluate templates with a toolbox that ends with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from toolboxcharts import program, write

from fairway.boot import offline
from fairway.boot.offline import Asked
from fairway.kit import processes
from fairway.model.errors import BadFile
from fairway.settings import load

YAML = "kind: pipeline\ntype: exec\nname: {{ .input.name }}\nsteps:\n" \
    "- name: s\n  commands: [echo made by {{ .input.name }}]\n"  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data directory of anybody else, and the programs of these tests."""
    monkeypatch.setenv("FAIRWAY_NATIVE__DIR", str(program().parent))
    monkeypatch.setenv("FAIRWAY_DATA", str(tmp_path / "data"))


def leftovers() -> list[int]:
    """Toolboxes that commands without a server have left."""
    return [
        pid
        for pid, words in processes.everything()
        if any("fairway-toolbox-" in word for word in words)
    ]


def test_templates_of_the_folder_are_linted_and_compiled(tmp_path: Path) -> None:
    write(tmp_path / ".drone/templates/plugin.yaml", YAML)
    write(tmp_path / ".drone.yml", "kind: template\nload: plugin.yaml\ndata: {name: made}\n")
    asked = Asked(trusted=True)
    assert [
        one for one in offline.lint(tmp_path / ".drone.yml", asked) if one["level"] == "error"
    ] == []
    made = offline.compile_file(tmp_path / ".drone.yml", asked)
    assert [one["name"] for one in made["pipelines"]] == ["made"]
    assert not leftovers()


def test_a_jsonnet_file_imports_from_its_folder_only(tmp_path: Path) -> None:
    write(tmp_path / "outside.libsonnet", "'never'")
    top = tmp_path / "repo"
    write(top / "lib/a.libsonnet", "{ name: 'a', image: 'x' }")
    (top / "link.libsonnet").symlink_to("../outside.libsonnet")
    write(
        top / ".drone.jsonnet", "{ kind: 'pipeline', name: 'p', steps: [import 'lib/a.libsonnet'] }"
    )
    made = offline.compile_file(top / ".drone.jsonnet", Asked())
    assert [step["name"] for step in made["pipelines"][0]["steps"]] == ["clone", "a"]
    for name in ("link.libsonnet", "../outside.libsonnet"):
        write(top / ".drone.jsonnet", f"{{ kind: 'pipeline', name: import '{name}' }}")
        made = offline.compile_file(top / ".drone.jsonnet", Asked())
        assert [one["code"] for one in made["errors"]] == ["jsonnet-failed"]


def test_exec_runs_what_a_template_makes(tmp_path: Path) -> None:
    write(tmp_path / ".drone/templates/plugin.yaml", YAML)
    write(tmp_path / ".drone.yml", "kind: template\nload: plugin.yaml\ndata: {name: made}\n")
    said: list[str] = []
    ended = offline.exec_file(
        tmp_path / ".drone.yml",
        Asked(trusted=True),
        {},
        said.append,
        settings=load(tmp_path / "data"),
        engine="local",
    )
    assert ended == "passed"
    assert "made by made" in "\n".join(said)
    assert not leftovers()


def test_without_the_programs_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRWAY_NATIVE__DIR", os.fspath(tmp_path))
    write(tmp_path / ".drone.jsonnet", "{}")
    (found,) = offline.lint(tmp_path / ".drone.jsonnet", Asked())
    assert found["code"] == "template-needs-native"
    with pytest.raises(BadFile):
        offline.exec_file(
            tmp_path / ".drone.jsonnet", Asked(), {}, print,
            settings=load(tmp_path / "data"), engine="local",
        )  # fmt: skip
