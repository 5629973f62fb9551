"""Pipelines that a template or a Jsonnet program makes, on the running system."""

from __future__ import annotations

import os

import pytest
from ground import Ground, steps

from fairway.model.errors import Unavailable
from fairway.native.programs import find

TEMPLATE = """\
kind: pipeline
type: docker
name: default
steps:
{{- range $index, $word := .input.words }}
- name: say-{{ $index }}
  image: busybox
  commands: ["echo {{ $word | upper }} of {{ $.repo.name }} on {{ $.build.branch }}"]
{{- end }}
"""
LIBRARY = """\
{ say(name, word):: { name: name, image: "busybox", commands: ["echo %s again" % word] } }
"""
PROGRAM = """\
local lib = import "lib/steps.libsonnet";
[{ kind: "pipeline", type: "docker", name: std.extVar("build.event"),
   steps: [lib.say("one", "first"), lib.say("two", std.extVar("repo.slug"))] }]
"""


@pytest.fixture(autouse=True)
def _programs() -> None:
    try:
        find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))
    except Unavailable as missing:
        pytest.skip(str(missing))


def test_a_yaml_template_of_the_organisation_makes_the_steps(ground: Ground) -> None:
    holder = ground.templates()
    holder.commit({"plugin.yaml": TEMPLATE})
    holder.push()
    repo = ground.repository()
    loads = "kind: template\nload: plugin.yaml\ndata: {words: [hello, bye]}\n"
    build = repo.build(loads)
    assert build.status == "passed", build.error
    name = repo.slug.partition("/")[2]
    assert f"HELLO of {name} on main" in repo.log("say-0")
    assert f"BYE of {name} on main" in repo.log("say-1")


def test_a_jsonnet_file_with_an_import_is_built(ground: Ground) -> None:
    repo = ground.repository(config_path=".drone.jsonnet")
    files = {".drone.jsonnet": PROGRAM, "lib/steps.libsonnet": LIBRARY}
    build = repo.build(steps("steps: []"), files)
    assert build.status == "passed", build.error
    assert "first again" in repo.log("one", stage="push")
    assert f"{repo.slug} again" in repo.log("two", stage="push")
    broken = repo.build(steps("steps: []"), {".drone.jsonnet": "{ kind: nobody }"})
    assert broken.status == "errored"
    assert ".drone.jsonnet:1:9" in broken.error
