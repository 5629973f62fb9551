"""`fairway exec` without a server, on the simulated engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.model.status import Status
from fairway.pipeline.graph import Mount, StageGraph, StepGraph, Volume
from fairway.pipeline.local_run import Course, Local, in_folder, new_owner, run_local
from fairway.testing.engine import SimulatedEngine

pytestmark = pytest.mark.looptime


def graph(name: str, *scripts: str, **fields: Any) -> StageGraph:
    steps = tuple(
        StepGraph(name=f"s{number}", number=number, image="busybox:1", script=script)
        for number, script in enumerate(scripts, 1)
    )
    return StageGraph(name=name, type="docker", steps=steps, **fields)


async def run(tmp_path: Path, *graphs: StageGraph, **more: Any) -> tuple[Status, list[str]]:
    lines: list[str] = []
    engine = SimulatedEngine()
    local = Local(engines={"docker": engine}, plugins={}, owner=new_owner())
    status = await run_local(
        graphs, tmp_path, {"TOK": "hunter2"}, lines.append, local=local, **more
    )
    assert engine.left() == []
    return status, lines


async def test_lines_are_printed_with_their_step(tmp_path: Path) -> None:
    status, lines = await run(tmp_path, graph("p", "echo one\necho hunter2"))
    assert status is Status.PASSED
    assert lines == [
        "engine: simulated engine",
        "[s1:0] one",
        "[s1:1] ******",
        "pipeline p: passed",
    ]


async def test_what_depends_on_a_failed_pipeline_runs_only_where_it_asks_for_failures(
    tmp_path: Path,
) -> None:
    status, lines = await run(
        tmp_path,
        graph("a", "exit 3"),
        graph("b", "echo never"),
        graph("c", "echo c"),
        graph("d", "echo d"),
        graph("e", "echo never"),
        courses={
            "b": Course(depends_on=("a",)),
            "d": Course(depends_on=("b",), on_success=False, on_failure=True),
            "e": Course(depends_on=("c",), on_success=False, on_failure=True),
        },
    )
    assert status is Status.FAILED
    assert "step s1: failed (3)" in lines
    assert [line for line in lines if line.startswith("pipeline")] == [
        "pipeline a: failed",
        "pipeline b: skipped",
        "pipeline c: passed",
        "pipeline d: passed",
        "pipeline e: skipped",
    ]


def test_the_folder_itself_is_the_repository_and_nothing_is_cloned() -> None:
    volume = Volume("_workspace", "workspace")
    clone = StepGraph(name="clone", number=1, clone=True)
    step = StepGraph(name="s", number=2, mounts=(Mount("_workspace", "/drone"),))
    made = in_folder(
        StageGraph(
            name="p",
            type="docker",
            steps=(clone, step),
            volumes=(volume,),
            workspace_base="/drone",
            workspace_path="/drone/src",
        )
    )
    assert [each.name for each in made.steps] == ["s"]
    assert made.steps[0].mounts == (Mount("_workspace", "/drone/src"),)
    assert made.workspace_base == "/drone/src"
