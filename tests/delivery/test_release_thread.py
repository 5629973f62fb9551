"""The thread of a release: candidate, chart, dev, staging, approval, production, and back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from release_chart import CHART
from release_deploying import stand_in
from release_town import REGISTRY, WAIT_S, Town

from fairway.kube import Kube
from fairway.kube.kind import POD
from fairway.model.errors import Conflict, FairwayError, Forbidden
from fairway.model.release import PromotionKind
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.release import commands
from fairway.store.database import Database
from fairway.testing.waiting import eventually


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
    await made.prepare()
    yield made
    await made.end()


GATE = {"all": [{"soak": {"duration": "1s"}}, {"approval": {"count": 1}}]}


async def test_a_candidate_goes_to_production_with_somebody_elses_approval(town: Town) -> None:
    await town.deliver(production={"gates": GATE})
    async with town.running(stand_in(town)):
        first = await town.candidate()
        released = await town.until_release()
        assert (released.version, released.digest) == ("0.1.0-rc.1", first)
        assert first in await town.text("acme/catalogue", "chart/values.yaml")
        assert (await town.subjects("acme/catalogue"))[0] == "Release catalogue 0.1.0-rc.1"
        await town.until("dev", "passed")
        await town.until("staging", "passed")
        assert first in await town.runs("staging")
        waiting = await town.until("production", "waiting")
        assert await town.runs("production") == ""
        what = await town.database.read(commands.find, "production", "catalogue")
        with pytest.raises(Forbidden, match="own"):
            await town.says("ada", what)
        assert (await town.lane("production"))[0].state == "waiting"
        await town.says("bob", what)
        done = await town.until("production", "passed")
        assert done.id == waiting.id
        assert first in await town.runs("production")
        with pytest.raises(Conflict, match="no other good"):
            await town.database.write(commands.rollback, await town.who("bob"), what)


async def test_a_rollback_is_a_commit_and_the_bad_release_stays_away(town: Town) -> None:
    await town.deliver()
    ada = await town.who("ada")
    async with town.running(stand_in(town)):
        first = await town.candidate()
        await town.until("production", "passed", version="0.1.0-rc.1")
        await town.commit("acme/catalogue", {"more.txt": "x"}, "fix: more")
        second = await town.candidate()
        await town.until("production", "passed", version="0.1.0-rc.2")
        assert second in await town.runs("production")

        what = await town.database.read(commands.find, "production", "catalogue")
        await town.database.write(commands.rollback, ada, what, why="too slow")
        back = await town.until("production", "passed", version="0.1.0-rc.1")
        assert (back.kind, back.actor, back.why) == (PromotionKind.ROLLBACK, "ada", "too slow")
        assert first in await town.runs("production")
        assert (await town.subjects("acme/environments"))[0] == (
            "Roll back to catalogue 0.1.0-rc.1 in production"
        )
        assert second in await town.runs("staging")
        with pytest.raises(Conflict) as caught:
            await town.database.write(commands.rollback, ada, what, version="9.9.9")
        assert caught.value.code == "never-good"
        assert "0.1.0-rc.1" in caught.value.remedy


async def test_a_failed_chart_publishes_nothing_and_the_next_one_does(town: Town) -> None:
    await town.deliver()
    broken = {"chart/templates/broken.yaml": '{{ fail "no" }}\n'}
    await town.commit("acme/catalogue", broken, "fix: break it")
    async with town.running(stand_in(town)):
        await town.candidate()
        failed = await town.until_release("failed")
        assert "no" in failed.problem
        assert await town.shelf.digest("dev/charts/catalogue", failed.version) == ""
        assert (await town.subjects("acme/catalogue"))[0] == "fix: break it"
        assert await town.lane("dev") == []

        await town.commit("acme/catalogue", {"chart/templates/broken.yaml": ""}, "fix: mend it")
        await town.candidate()
        await town.until_release(count=2)
        await town.until("production", "passed")


async def test_a_missing_key_blocks_the_promotion_by_name_until_it_is_there(town: Town) -> None:
    await town.secret("production", other="x")
    await town.deliver()
    async with town.running(stand_in(town)):
        await town.candidate()

        async def blocked() -> bool:
            lane = await town.lane("production")
            return bool(lane) and "Secret catalogue key password" in lane[0].message

        await eventually("it is blocked", blocked)
        assert await town.runs("production") == ""
        await town.secret("production", password="now")
        await town.until("production", "passed")


async def test_what_is_no_candidate_is_refused_with_its_build_and_step(town: Town) -> None:
    await town.deliver()
    async with town.running(stand_in(town)):
        await town.candidate()
        await town.until("production", "passed")
        reason = "build #2 failed: the step unit of the pipeline ci failed"
        bad = await town.candidate(good=False, reason=reason)
        ada = await town.who("ada")
        what = await town.database.read(commands.find, "production", "catalogue")
        with pytest.raises(Conflict, match="the step unit of the pipeline ci failed"):
            await town.database.write(commands.promote, ada, what, version=bad)


async def test_a_release_that_does_not_come_up_is_reverted_in_git_and_stays_away(
    town: Town,
) -> None:
    await town.deliver()
    async with town.running(stand_in(town)):
        first = await town.candidate()
        await town.until("production", "passed")
        values = CHART["values.yaml"].replace('bad: "no"', 'bad: "yes"')
        await town.commit("acme/catalogue", {"chart/values.yaml": values}, "feat: break it")
        bad = await town.candidate()
        await town.until("staging", "passed", version="0.1.0-rc.2")

        async def reverted() -> bool:
            last = (await town.lane("production"))[0]
            return last.kind is PromotionKind.REVERT and last.state == "passed"

        await eventually("it is reverted", reverted, seconds=WAIT_S)
        assert first in await town.runs("production")
        said = (await town.subjects("acme/environments"))[:2]
        assert said == [
            "Go back to catalogue 0.1.0-rc.1 in production",
            "Promote catalogue 0.1.0-rc.2 in production",
        ]
        failed = next(one for one in await town.lane("production") if one.state == "failed")
        assert "progress" in failed.bad
        assert bad in await town.runs("staging")


async def test_production_admits_only_what_was_promoted(town: Town) -> None:
    await town.deliver(production={"admits": "promoted"})
    async with town.running(stand_in(town)):
        await town.candidate()
        await town.until("production", "passed")
        place = town.namespaces["production"]
        image = f"{REGISTRY}/acme/catalogue@sha256:1"
        spec = {"containers": [{"name": "x", "image": image}]}
        pod = {"metadata": {"name": "foreign", "namespace": place}, "spec": spec}

        async def refused() -> bool:
            try:
                await town.kube.create(POD, pod, dry_run=True)
            except FairwayError as error:
                return "only images that were promoted" in str(error)
            return False

        await eventually("a foreign image is refused", refused)
        spec["containers"][0]["image"] = f"{REGISTRY}/production/acme/catalogue@sha256:1"
        await town.kube.create(POD, pod, dry_run=True)
