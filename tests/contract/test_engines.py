"""One suite for all engines: the simulated one, processes, and Docker."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.docker.client import Docker
from fairway.pipeline.engine import Engine, Place
from fairway.pipeline.engines.docker import DockerEngine
from fairway.pipeline.engines.local import LocalEngine
from fairway.pipeline.graph import StageGraph
from fairway.testing.contracts.engine import EngineContract, ImageContract, Places, run, step
from fairway.testing.engine import SimulatedEngine


@pytest.fixture
async def place(engine: Engine, tmp_path: Path) -> AsyncIterator[Places]:
    run = secrets.token_hex(4)
    made: list[Place] = []

    def make(name: str) -> Place:
        graph = StageGraph(name="p", type="docker")
        key = f"contract-{run}-{name}"
        made.append(Place(key=key, graph=graph, workspace=tmp_path / name, owner=f"test-{run}"))
        return made[-1]

    # One engine serves one owner: the fixture's places are that owner's.
    engine._owner = f"test-{run}"
    yield make
    for each in made:
        await engine.destroy(each)


@pytest.mark.looptime
class TestSimulatedEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return SimulatedEngine()

    async def test_an_unknown_image_is_named(self, engine: SimulatedEngine, place: Places) -> None:
        engine.missing.add("fairway.invalid/nothing:1")
        await ImageContract().test_an_unknown_image_is_named(engine, place)


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return LocalEngine(tmp_path / "engine", owner="", base={"PATH": os.environ["PATH"]})


@pytest.mark.docker
class TestDockerEngine(EngineContract, ImageContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        docker = DockerEngine(Docker(os.environ["DOCKER_HOST"]), owner="")
        yield docker
        docker.close()


@pytest.mark.docker
async def test_folders_that_a_container_made_as_root_are_left_open_to_the_runners_user(
    tmp_path: Path,
) -> None:
    engine = DockerEngine(Docker(os.environ["DOCKER_HOST"]), owner="", user=12345)
    script = "mkdir -p a/b && touch a/b/key && chmod 700 a a/b && chmod 600 a/b/key"
    workspace = tmp_path / "w"
    graph = StageGraph(name="p", type="docker")
    here = Place(key=f"open-{secrets.token_hex(4)}", graph=graph, workspace=workspace, owner="t")
    await engine.setup(here)
    try:
        _log, ended = await run(engine, here, step(script, working_dir="/drone/src"))
        assert ended.exit_code == 0
    finally:
        await engine.destroy(here)
        engine.close()
    made = {path.name: path.stat().st_mode & 0o777 for path in workspace.rglob("*")}
    assert {name: made[name] for name in ("a", "b", "key")} == {
        "a": 0o777,
        "b": 0o777,
        "key": 0o600,
    }
