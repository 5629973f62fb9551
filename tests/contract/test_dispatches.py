"""Every way into the system: in memory, on the store, and over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from fairway.api.app import api_app
from fairway.kit.secret import Secret
from fairway.model.errors import Forbidden, Unauthenticated, Unavailable
from fairway.model.status import Status
from fairway.model.token import TokenScope
from fairway.pipeline.dispatch import Dispatch, Lease, StageReport, StepReport
from fairway.pipeline.dispatch_http import HttpDispatch
from fairway.pipeline.graph import StageGraph, StepGraph
from fairway.pipeline.memory_dispatch import MemoryDispatch
from fairway.store import stages, steps
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import stage as stage_table
from fairway.testing.apiworld import URL, ApiWorld
from fairway.testing.contracts.dispatch import ALICE, DispatchContract

FILE = """\
kind: pipeline
type: docker
name: default
clone: {disable: true}
steps:
  - {name: one, image: busybox, commands: [echo one]}
  - {name: two, image: busybox, commands: [echo two]}
"""


class StoreBench:
    """The real store behind any dispatch."""

    def __init__(self, world: ApiWorld, dispatch: Dispatch) -> None:
        self.world, self.dispatch = world, dispatch
        self.database = world.database

    async def offer(self) -> int:
        world = self.world
        repository = world.people.ids["tide/app"]
        world.sources.push(repository, "refs/heads/main", FILE, message=f"{len(world.builds)}")
        made = await world.services.builds.custom(repository, ref="main", actor="ada")
        world.builds.append(made)
        return (await self.database.read(stages.of_build, made.id))[0].id

    async def stop(self, stage: int) -> None:
        found = await self.database.read(stages.find, stage)
        build = next(one for one in self.world.builds if one.id == found.build)
        await self.world.services.builds.cancel(build.repository, build.number, actor="ada")

    async def expire(self, stage: int) -> None:
        query = update(stage_table).where(stage_table.c.id == stage).values(until=0)
        await self.database.write(lambda db: db.execute(query))
        self.world.wake.set()

    async def log(self, stage: int, step: int) -> bytes:
        row = await self.database.read(steps.at, stage, step)
        return b"".join([part async for part in self.world.logs.read(row.id, 1)])

    async def status(self, stage: int) -> Status | None:
        found = (await self.database.read(stages.find, stage)).status
        return found if found.done else None


class MemoryBench:
    """No system at all."""

    def __init__(self) -> None:
        self.dispatch = MemoryDispatch()

    async def offer(self) -> int:
        number = len(self.dispatch.stages) + 1
        names = tuple(StepGraph(name=name, number=n) for n, name in ((1, "one"), (2, "two")))
        graph = StageGraph(name="default", type="docker", steps=names)
        self.dispatch.add(
            Lease(stage=number, build=1, key=f"k{number}", token="", graph=graph, steps=[],
                  secrets={}, environment={})
        )  # fmt: skip
        return number

    async def stop(self, stage: int) -> None:
        self.dispatch.cancel(stage, "wanted")

    async def expire(self, stage: int) -> None:
        self.dispatch.release(stage)

    async def log(self, stage: int, step: int) -> bytes:
        return bytes(self.dispatch.log(stage, step).data)

    async def status(self, stage: int) -> Status | None:
        report = self.dispatch.stages[stage].report
        return report.status if report else None


@pytest.fixture
async def api_world(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[ApiWorld]:
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(sqlite_url(path), durable=False)
    world = ApiWorld(database, tmp_path)
    world.finish(2, Status.PASSED)
    yield world
    database.close()


def http_dispatch(world: ApiWorld, token: str) -> HttpDispatch:
    transport = httpx.ASGITransport(app=api_app(world.services))
    return HttpDispatch(URL, Secret(token), transport=transport)


class TestMemory(DispatchContract):
    @pytest.fixture
    async def bench(self) -> MemoryBench:
        return MemoryBench()


class TestStore(DispatchContract):
    @pytest.fixture
    async def bench(self, api_world: ApiWorld) -> StoreBench:
        return StoreBench(api_world, api_world.services.dispatch)


class TestHttp(DispatchContract):
    @pytest.fixture
    async def bench(self, api_world: ApiWorld) -> AsyncIterator[StoreBench]:
        token = api_world.token("ada", TokenScope.RUNNER)
        async with http_dispatch(api_world, token) as dispatch:
            yield StoreBench(api_world, dispatch)

    async def test_only_a_runner_is_let_in(self, api_world: ApiWorld) -> None:
        for token, error in (
            (api_world.token("ada", TokenScope.BUILD_WRITE), Forbidden),
            (api_world.token("wim", TokenScope.REPO_WRITE), Forbidden),
            ("nonsense", Unauthenticated),
        ):
            async with http_dispatch(api_world, token) as dispatch:
                with pytest.raises(error):
                    await dispatch.lease(ALICE, wait_s=0.0)
                with pytest.raises(error):
                    await dispatch.finish(1, "x", StageReport(status=Status.PASSED))
                with pytest.raises(error):
                    await dispatch.step(1, "x", StepReport(number=1, status=Status.PASSED))

    async def test_a_system_that_is_away_is_unavailable(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        transport = httpx.MockTransport(refuse)
        async with HttpDispatch(URL, Secret("t"), transport=transport) as dispatch:
            with pytest.raises(Unavailable):
                await dispatch.renew(1, "x")
