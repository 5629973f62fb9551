"""Tags that deployments go by are not for a pull request's build, whatever its file says."""

import pytest
from sqlalchemy import update

from fairway.access.identity import Identity
from fairway.boot.registry_access import IdentityRights
from fairway.kit import clock
from fairway.store import builds, schema
from fairway.store.database import Database
from fairway.testing.people import People

SHA = "0123456789abcdef0123456789abcdef01234567"


async def identity(people: People, *, event: str, parent: int = 0, number: int = 2) -> Identity:
    build = people.build("tide/app", number=number)
    values = {"event": event, "ref": "refs/changes/7/merge", "after": SHA, "parent": parent}
    people.database.write_now(
        lambda db: db.execute(update(schema.build).where(schema.build.c.id == build).values(values))
    )
    assert (await people.database.read(builds.find, build)).event == event
    token = await people.tokens.mint_for_build(build, expires=clock.now() + 60_000)
    return await people.tokens.verify(token)


@pytest.mark.parametrize(
    ("tag", "allowed"),
    [
        ("change-7", True),
        ("change-7-latest", True),
        ("test-01234567", True),
        ("0123456", True),
        ("latest", False),
        ("candidate", False),
        ("1.2.0", False),
        ("change-8", False),
        ("change-70", False),
        ("012345", False),
    ],
)
async def test_a_pull_request_sets_only_tags_of_its_own(
    database: Database, tag: str, *, allowed: bool
) -> None:
    rights = IdentityRights(database, await identity(People(database), event="pull_request"))
    assert await rights.may_tag(tag) is allowed


async def test_what_repeats_or_promotes_it_is_no_freer(database: Database) -> None:
    people = People(database)
    await identity(people, event="pull_request")
    promoted = await identity(people, event="promote", parent=2, number=3)
    assert not await IdentityRights(database, promoted).may_tag("latest")


async def test_pushes_and_people_set_any_tag(database: Database) -> None:
    people = People(database)
    pushed = IdentityRights(database, await identity(people, event="push"))
    person = IdentityRights(database, await people.identity("wim"))
    for rights in (pushed, person):
        assert await rights.may_tag("latest")
