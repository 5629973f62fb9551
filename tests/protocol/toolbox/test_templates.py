"""Templates in YAML and Jsonnet, and Jsonnet files: the cases of `tests/cases/rendered`."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_files import RENDERED, run

from fairway.model.errors import InvalidInput, Unavailable
from fairway.native.server import Server
from fairway.native.templates import Templates
from fairway.native.toolbox import Toolbox
from fairway.pipeline.compile import Context, RepoFacts, plan

CASES = sorted(RENDERED.glob("*.case"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_case_holds(path: Path, toolbox: Toolbox) -> None:
    run(path, Templates(toolbox))


def test_a_missing_program_is_said_with_what_to_do(tmp_path: Path) -> None:
    def nothing() -> Path:
        raise Unavailable("no programs", code="native-missing", remedy="build them")

    renderer = Templates(Toolbox(Server(tmp_path, nothing)))
    context = Context(filename=".drone.jsonnet", renderer=renderer)
    (found,) = plan("{}", context).errors
    assert found.code == "template-needs-native"
    assert found.message == "no programs; build them"
    with_template = Context(templates={"a.yaml": "x"}, renderer=renderer)
    (placed,) = plan("kind: template\nload: a.yaml\n", with_template).errors
    assert (placed.code, placed.line) == ("template-needs-native", 2)
    assert placed.message == "template a.yaml: no programs; build them"


def test_what_may_pass_is_raised_to_be_tried_again(tmp_path: Path) -> None:
    renderer = Templates(Toolbox(Server(tmp_path, lambda: Path("/bin/false"))))
    with pytest.raises(Unavailable) as caught:
        plan("{}", Context(filename=".drone.jsonnet", renderer=renderer))
    assert caught.value.code == "toolbox-unavailable"


def test_names_that_lead_out_are_refused(toolbox: Toolbox) -> None:
    renderer = Templates(toolbox)
    for name in ("../x.jsonnet", "/x.jsonnet"):
        with pytest.raises(InvalidInput) as caught:
            renderer.jsonnet(name, "{}", {}, {})
        assert caught.value.code == "outside-folder"


def test_a_trusting_template_makes_a_build_text_that_compiles_again(toolbox: Toolbox) -> None:
    """What a build stores is what its stages are compiled from, without a renderer."""
    text = '{ kind: "pipeline", name: "a", steps: [{ name: "s", image: "x" }] }'
    asked = Context(filename=".drone.jsonnet", renderer=Templates(toolbox), repo=RepoFacts())
    made = plan(text, asked)
    again = plan(made.text, Context(filename=".drone.jsonnet"))
    assert [one.name for one in again.matched] == ["a"]
