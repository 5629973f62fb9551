"""What only real processes can show: adoption by another runner, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.model.errors import InvalidInput
from fairway.pipeline.engine import Place
from fairway.pipeline.engines.local import LocalEngine, host_path
from fairway.pipeline.graph import StageGraph
from fairway.testing.contracts.engine import Taker, run, step


@pytest.fixture
def here(tmp_path: Path) -> Place:
    graph = StageGraph(name="p", type="exec", workspace_base="/drone", workspace_path="/drone/src")
    return Place(key="b1-s1", graph=graph, workspace=tmp_path / "w", owner="o")


def made(tmp_path: Path) -> LocalEngine:
    return LocalEngine(tmp_path / "engine", owner="o", base={"PATH": os.environ["PATH"], "X": "y"})


@pytest.fixture
async def engine(tmp_path: Path, here: Place) -> AsyncIterator[LocalEngine]:
    engine = made(tmp_path)
    await engine.setup(here)
    yield engine
    await engine.destroy(here)


async def test_another_runner_goes_on_with_what_runs(
    engine: LocalEngine, here: Place, tmp_path: Path
) -> None:
    what = step("echo a\nwhile [ ! -e go ]; do sleep 0.02; done\necho b\nexit 4")
    await engine.start(here, what, {})
    first = Taker()
    task = asyncio.ensure_future(engine.follow(here, what, first))
    await first.until(b"a\n")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = made(tmp_path)
    await other.start(here, what, {})
    host_path(here, "").joinpath("go").touch()
    rest = Taker()
    ended = await other.follow(here, what, rest, skip=2)
    assert (rest.data, ended.exit_code) == (b"b\n", 4)


async def test_the_environment_is_the_steps_and_little_else(
    engine: LocalEngine, here: Place
) -> None:
    values = {"A": "1", "DRONE_WORKSPACE": "/drone/src", "DRONE_SCRIPT": "hidden"}
    log, _end = await run(engine, here, step('pwd\nenv | cut -d= -f1 | sort\necho "$HOME"'), values)
    lines = log.decode().splitlines()
    assert lines[0] == str(host_path(here, ""))
    assert {"A", "HOME", "PATH", "DRONE_WORKSPACE"} <= set(lines)
    assert not {"X", "DRONE_SCRIPT"} & set(lines)
    assert lines[-1].endswith("/home")


async def test_what_a_step_leaves_behind_is_ended_with_its_stage(
    engine: LocalEngine, here: Place
) -> None:
    script = "setsid sleep 600 >/dev/null 2>&1 &\necho $!\nsleep 0.1"
    log, _end = await run(engine, here, step(script))
    left = Path(f"/proc/{int(log)}")
    await engine.destroy(here)
    for _try in range(500):
        if not left.exists() or "\nState:\tZ" in (left / "status").read_text():
            break
        await asyncio.sleep(0.01)
    assert not left.exists() or "\nState:\tZ" in (left / "status").read_text()


async def test_a_supervisor_that_was_killed_is_told_as_killed(
    engine: LocalEngine, here: Place, tmp_path: Path
) -> None:
    what = step("echo begun\nsleep 600")
    await engine.start(here, what, {})
    taker = Taker()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(engine.follow(here, what, taker))
        await taker.until(b"begun")
        (pid,) = (tmp_path / "engine").glob("*/1-1/pid")
        os.killpg(int(pid.read_text().split()[0]), 9)
    assert following.result().exit_code == 137


async def test_images_are_refused(engine: LocalEngine, here: Place) -> None:
    with pytest.raises(InvalidInput, match="runs commands, not images"):
        await engine.start(here, step(""), {})


@pytest.mark.parametrize(
    ("directory", "path"),
    [
        ("", "src"),
        ("/drone/src/a", "src/a"),
        ("relative", "src/relative"),
        ("/drone/../../etc", "."),
        ("/etc", "etc"),
    ],
)
def test_working_directories_stay_in_the_workspace(here: Place, directory: str, path: str) -> None:
    assert host_path(here, directory) == (here.workspace / path).resolve()
