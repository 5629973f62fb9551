"""What lies in an environment's part of the registry is pushed by nobody, and pulled by those who
may pull the image that it came of.
"""

import pytest

from fairway.boot.registry_access import IdentityRights
from fairway.image.registry.access import Action
from fairway.model.token import TokenScope
from fairway.store import releases
from fairway.store.database import Database
from fairway.testing.people import People


@pytest.fixture
def people(database: Database) -> People:
    made = People(database)
    database.write_now(releases.reserve, "shop", {"production": "production", "eu/live": "live"})
    return made


async def may(people: People, login: str, name: str, action: Action) -> bool:
    identity = await people.identity(login)
    return await IdentityRights(people.database, identity).may(name, action)


@pytest.mark.parametrize("name", ["production/tide/app", "production/charts/app", "eu/live/x"])
@pytest.mark.parametrize("action", [Action.PUSH, Action.DELETE])
async def test_nobody_pushes_there_not_even_an_admin(
    people: People, name: str, action: Action
) -> None:
    assert not await may(people, "ada", name, action)


async def test_who_may_pull_the_image_may_pull_it_there(people: People) -> None:
    assert await may(people, "rea", "production/tide/app", Action.PULL)
    assert not await may(people, "non", "production/tide/app", Action.PULL)
    assert await may(people, "non", "production/charts/app", Action.PULL)


async def test_a_build_cannot_push_there(people: People) -> None:
    identity = await people.build_identity("tide/app")
    rights = IdentityRights(people.database, identity)
    assert not await rights.may("production/tide/app", Action.PUSH)
    assert await rights.may("tide/app", Action.PUSH)


async def test_other_names_are_as_before(people: People) -> None:
    assert await may(people, "wim", "tide/app", Action.PUSH)
    assert await may(people, "ada", "eu/other", Action.PUSH)


async def test_a_token_for_pulls_is_needed_for_charts(people: People) -> None:
    identity = await people.identity("rea", TokenScope.REPO_READ)
    rights = IdentityRights(people.database, identity)
    assert not await rights.may("production/charts/app", Action.PULL)


async def test_names_are_free_again_when_the_delivery_is_gone(people: People) -> None:
    people.database.write_now(releases.free_others, [])
    assert await may(people, "ada", "production/tide/app", Action.PUSH)
