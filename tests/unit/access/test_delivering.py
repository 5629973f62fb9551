"""Teams, and rights in environments."""

from __future__ import annotations

import pytest

from fairway.access import delivering, teams
from fairway.access.identity import ANONYMOUS, SYSTEM, Identity
from fairway.model.delivery_right import DeliveryAction
from fairway.model.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from fairway.model.scope import SYSTEM as ALL
from fairway.model.token import TokenScope
from fairway.store import audit
from fairway.store.database import Database
from fairway.testing.people import People


def may(database: Database, who: Identity, action: str, place: str) -> bool:
    delivery, _, environment = place.partition("/")
    return database.read_now(
        delivering.allowed,
        who,
        DeliveryAction(action),
        delivery=delivery,
        environment=environment,
    )


def give(database: Database, holder: str, action: str, place: str) -> None:
    database.write_now(delivering.grant, SYSTEM, holder=holder, action=action, place=place)


async def test_a_right_counts_for_its_action_and_environment_alone(
    world: People, database: Database
) -> None:
    wim = await world.identity("wim")
    give(database, "wim", "promote", "shop/staging")
    assert may(database, wim, "promote", "shop/staging")
    assert not may(database, wim, "promote", "shop/production")
    assert not may(database, wim, "rollback", "shop/staging")
    assert not may(database, wim, "promote", "blog/staging")
    assert not may(database, await world.identity("rea"), "promote", "shop/staging")


async def test_a_right_in_a_whole_delivery_counts_in_each_environment(
    world: People, database: Database
) -> None:
    give(database, "wim", "sync", "shop")
    assert may(database, await world.identity("wim"), "sync", "shop/production")


async def test_a_teams_right_is_that_of_its_members_as_long_as_they_are(
    world: People, database: Database
) -> None:
    rea = await world.identity("rea")
    database.write_now(teams.create, SYSTEM, "crew")
    give(database, "team:crew", "approve", "shop/production")
    assert not may(database, rea, "approve", "shop/production")
    made = database.write_now(teams.add, SYSTEM, "crew", "rea")
    assert made.members == ("rea",)
    assert may(database, rea, "approve", "shop/production")
    database.write_now(teams.leave, SYSTEM, "crew", "rea")
    assert not may(database, rea, "approve", "shop/production")
    database.write_now(teams.add, SYSTEM, "crew", "rea")
    database.write_now(teams.remove, SYSTEM, "crew")
    assert not may(database, rea, "approve", "shop/production")
    assert database.read_now(delivering.listing, SYSTEM) == []


async def test_a_token_must_have_been_made_for_it_and_a_builds_own_never_is(
    world: People, database: Database
) -> None:
    give(database, "wim", "promote", "shop")
    assert may(
        database, await world.identity("wim", TokenScope.DELIVERY_WRITE), "promote", "shop/dev"
    )
    assert not may(
        database, await world.identity("wim", TokenScope.REPO_READ), "promote", "shop/dev"
    )
    bound = await world.identity("wim", TokenScope.ADMIN, only="tide/app")
    assert not may(database, bound, "promote", "shop/dev")
    assert not may(database, await world.build_identity("tide/app"), "promote", "shop/dev")
    assert may(database, await world.identity("ada"), "promote", "shop/dev")


async def test_a_missing_right_is_named_with_who_can_give_it(
    world: People, database: Database
) -> None:
    wim = await world.identity("wim")
    where = {"delivery": "shop", "environment": "production"}
    with pytest.raises(Forbidden) as told:
        database.read_now(delivering.require, wim, DeliveryAction.PROMOTE, **where)
    assert told.value.code == "no-delivery-right"
    assert told.value.exit_code == 4
    assert "fairway right grant wim promote shop/production" in told.value.remedy
    with pytest.raises(Unauthenticated):
        database.read_now(delivering.require, ANONYMOUS, DeliveryAction.PROMOTE, **where)
    with pytest.raises(Unauthenticated):
        database.read_now(delivering.listing, ANONYMOUS)


async def test_rights_and_teams_are_changed_by_admins_alone_and_audited_once(
    world: People, database: Database
) -> None:
    wim = await world.identity("wim")
    with pytest.raises(Forbidden):
        database.write_now(teams.create, wim, "crew")
    with pytest.raises(Forbidden):
        database.write_now(
            delivering.grant, wim, holder="wim", action="promote", place="shop/production"
        )
    give(database, "wim", "promote", "shop")
    give(database, "wim", "promote", "shop")
    assert len(database.read_now(delivering.listing, wim, delivery="shop")) == 1
    database.write_now(delivering.revoke, SYSTEM, holder="wim", action="promote", place="shop")
    entries = database.read_now(audit.listing, ALL, subject="shop/wim")
    assert [entry.action for entry in entries] == ["right.revoke", "right.grant"]


@pytest.mark.parametrize(
    ("right", "code"),
    [
        ("wim destroy shop", "bad-delivery-action"),
        ("nobody promote shop", "no-user"),
        ("team:ghosts promote shop", "no-team"),
        ("wim promote Shop", "bad-name"),
        ("wim promote shop/", "bad-name"),
    ],
)
def test_what_cannot_be_given_is_refused(
    world: People, database: Database, right: str, code: str
) -> None:
    with pytest.raises((InvalidInput, NotFound)) as told:
        give(database, *right.split())
    assert told.value.code == code


def test_what_is_not_there_cannot_be_taken_away(world: People, database: Database) -> None:
    with pytest.raises(NotFound) as told:
        database.write_now(delivering.revoke, SYSTEM, holder="wim", action="promote", place="shop")
    assert told.value.code == "no-right-there"
    database.write_now(teams.create, SYSTEM, "crew")
    with pytest.raises(NotFound) as told:
        database.write_now(teams.leave, SYSTEM, "crew", "wim")
    assert told.value.code == "no-member"
    with pytest.raises(Conflict):
        database.write_now(teams.create, SYSTEM, "crew")
