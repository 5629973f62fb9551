"""Builds of files that a renderer makes: Jsonnet with imports, templates in YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairway.model.errors import InvalidInput, Unavailable
from fairway.model.status import Status
from fairway.pipeline.compile import Renderer

TEXT = "local lib = import 'lib.libsonnet'; lib.pipeline"
MADE = {"kind": "pipeline", "name": "made", "steps": [{"name": "s", "image": "busybox"}]}


class Scripted:
    """A renderer that answers what a test says, and keeps what it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []

    def go_template(self, name: str, text: str, data: Mapping[str, Any]) -> str:
        raise AssertionError((name, text, data))

    def jsonnet(
        self, name: str, text: str, variables: Mapping[str, str], files: Mapping[str, str]
    ) -> str:
        self.asked.append((name, text, dict(variables), dict(files)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return json.dumps(self.answer)


async def rendering(chapter: Any, monkeypatch: pytest.MonkeyPatch, renderer: Renderer) -> None:
    """The chapter with a renderer and a repository whose file is Jsonnet."""
    await chapter.set(config_path="ci/pipeline.jsonnet")
    monkeypatch.setattr(chapter.builds, "_renderer", renderer)
    files = {"ci/pipeline.jsonnet": TEXT, "ci/lib.libsonnet": "{}"}

    async def config(_repository: int, _sha: str, path: str) -> str | None:
        return files.get(path)

    monkeypatch.setattr(chapter.sources, "config", config)


async def test_a_jsonnet_file_is_built_with_what_it_imports(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = Scripted(MADE)
    await rendering(chapter, monkeypatch, renderer)
    build = await chapter.push(TEXT)
    assert build.status is Status.PENDING
    assert [stage.name for stage in await chapter.stages(build.number)] == ["made"]
    name, text, variables, files = renderer.asked[0]
    assert (name, text, files) == ("ci/pipeline.jsonnet", TEXT, {"ci/lib.libsonnet": "{}"})
    assert variables["build.branch"] == "main"
    asked = len(renderer.asked)
    lease = await chapter.lease()
    assert [step.name for step in lease.graph.steps] == ["clone", "s"]
    assert len(renderer.asked) == asked, "a stage is compiled from what its build was made of"


async def test_a_jsonnet_file_that_fails_ends_the_build_with_its_place(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = InvalidInput("no such field", code="jsonnet-failed", where="ci/pipeline.jsonnet:1:37")
    await rendering(chapter, monkeypatch, Scripted(wrong))
    build = await chapter.push(TEXT)
    assert build.status is Status.ERRORED
    assert build.error == "ci/pipeline.jsonnet:1:37: no such field"


async def test_a_toolbox_that_does_not_answer_makes_the_push_be_tried_again(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Unavailable("it does not answer", code="toolbox-unavailable")
    await rendering(chapter, monkeypatch, Scripted(gone))
    with pytest.raises(Unavailable):
        await chapter.push(TEXT)


async def test_missing_programs_end_the_build_with_what_to_do(
    chapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Unavailable("the programs are missing", code="native-missing", remedy="build them")
    await rendering(chapter, monkeypatch, Scripted(missing))
    build = await chapter.push(TEXT)
    assert build.status is Status.ERRORED
    assert build.error == "ci/pipeline.jsonnet:1:1: the programs are missing; build them"
