"""A release through Fairway's own GitOps and Rollouts: a canary, its refusal, and the way back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from release_chart import CHART, ROLLOUT
from release_deploying import real, roots
from release_town import WAIT_S, Town

from fairway.kube import Kube, crd
from fairway.model.release import PromotionKind
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.release import commands
from fairway.rollout.analysis.crds import CRDS
from fairway.rollout.crds import ROLLOUT as KIND
from fairway.rollout.crds import ROLLOUT_CRD
from fairway.store.database import Database
from fairway.testing.waiting import eventually

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def town(
    database: Database, kube: Kube, toolbox: Toolbox, tmp_path: Path
) -> AsyncIterator[Town]:
    made = Town(database, kube, toolbox, tmp_path)
    await crd.ensure(kube, [ROLLOUT_CRD, *CRDS])
    await made.prepare()
    made.workloads = [KIND]
    await made.commit(
        "acme/catalogue",
        {"chart/templates/deployment.yaml": ROLLOUT},
        "feat: a rollout",
    )
    yield made
    await made.end()


async def test_a_canary_that_fails_is_reverted_and_a_person_rolls_back(
    town: Town, tmp_path: Path
) -> None:
    await town.deliver()
    async with town.running(*real(town, tmp_path / "data")):
        await roots(town)
        first = await town.candidate()
        await town.until("production", "passed", version="0.1.0-rc.1")
        assert first in await town.runs("production")

        values = CHART["values.yaml"].replace('bad: "no"', 'bad: "yes"')
        await town.commit("acme/catalogue", {"chart/values.yaml": values}, "feat: break it")
        await town.candidate()
        await town.until("staging", "passed", version="0.1.0-rc.2")

        async def reverted() -> bool:
            last = (await town.lane("production"))[0]
            return last.kind is PromotionKind.REVERT and last.state == "passed"

        await eventually("it is reverted", reverted, seconds=WAIT_S)
        assert first in await town.runs("production")

        await town.commit("acme/catalogue", {"chart/values.yaml": CHART["values.yaml"]}, "fix: it")
        third = await town.candidate()
        await town.until("production", "passed", version="0.1.0-rc.3")
        assert third in await town.runs("production")
        what = await town.database.read(commands.find, "production", "catalogue")
        ada = await town.who("ada")
        await town.database.write(commands.rollback, ada, what, why="slow")
        back = await town.until("production", "passed", version="0.1.0-rc.1")
        assert back.kind is PromotionKind.ROLLBACK
        assert first in await town.runs("production")
