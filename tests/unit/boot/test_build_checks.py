"""Builds that verify a release: started once, and read until they have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from fairway.boot.release import BuildChecks, TeamMembers
from fairway.model.errors import NotFound
from fairway.model.status import Status
from fairway.release.spec import PipelineCheck
from fairway.store import builds, teams
from fairway.store.database import Database
from fairway.testing.apiworld import ApiWorld

CHECK = PipelineCheck(repository="tide/app", parameters={"SUITE": "smoke"})


@pytest.fixture
def world(database: Database, tmp_path: Path) -> ApiWorld:
    made = ApiWorld(database, tmp_path)
    pipeline = "kind: pipeline\ntype: docker\nname: test\nsteps:\n- name: a\n  image: a\n"
    pipeline += "  commands: [a]\n"
    made.sources.push(made.people.ids["tide/app"], "refs/heads/main", pipeline)
    return made


async def test_a_check_is_a_build_with_its_parameters_once_for_a_key(world: ApiWorld) -> None:
    checks = BuildChecks(world.database, world.services.builds)
    name = await checks.start("tide/app", CHECK, {"FAIRWAY_VERSION": "1.0.0"}, key="verify/1")
    assert await checks.start("tide/app", CHECK, {}, key="verify/1") == name
    number = int(name.rpartition("#")[2])
    made = await world.database.read(builds.by_number, world.people.ids["tide/app"], number)
    assert made is not None
    assert (made.event, made.params) == (
        "custom", {"FAIRWAY_VERSION": "1.0.0", "SUITE": "smoke"},
    )  # fmt: skip
    assert (await checks.verdict(name))[0] == ""


@pytest.mark.parametrize(
    ("status", "verdict"), [(Status.PASSED, "passed"), (Status.FAILED, "failed")]
)
async def test_its_end_is_the_verdict(world: ApiWorld, status: Status, verdict: str) -> None:
    checks = BuildChecks(world.database, world.services.builds)
    name = await checks.start("tide/app", CHECK, {}, key="verify/2")
    number = int(name.rpartition("#")[2])

    def end(db: Connection) -> None:
        found = builds.by_number(db, world.people.ids["tide/app"], number)
        assert found is not None
        builds.change(db, found.id, status=status)

    world.database.write_now(end)
    found, why = await checks.verdict(name)
    assert found == verdict
    assert name in why


async def test_what_is_gone_has_failed_and_what_never_was_is_not_found(world: ApiWorld) -> None:
    checks = BuildChecks(world.database, world.services.builds)
    assert (await checks.verdict("tide/app#999"))[0] == "failed"
    assert (await checks.verdict("tide/none#1"))[0] == "failed"
    with pytest.raises(NotFound):
        await checks.start("tide/none", CHECK, {}, key="x")


async def test_members_of_a_team_are_logins_and_of_none_nobody(world: ApiWorld) -> None:
    def fill(db: Connection) -> None:
        made = teams.create(db, "ops")
        teams.add(db, made.id, world.people.ids["max"])

    world.database.write_now(fill)
    known = TeamMembers(world.database)
    assert await known.members("ops") == {"max"}
    assert await known.members("none") == frozenset()
