"""Of two transactions that are both the first of something, one counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, insert, select

from fairway.access import passwords
from fairway.access.keyring import Keyring
from fairway.boot import opening
from fairway.model.delivery_right import DeliveryAction, DeliveryRight
from fairway.model.errors import Conflict
from fairway.model.role import Role
from fairway.store import delivery_rights, measures, registry_gc, releases, roles, schema, settings
from fairway.store.alone import alone
from fairway.store.database import Database
from fairway.testing.people import People
from fairway.testing.together import together

RIGHT = DeliveryRight(action=DeliveryAction.APPROVE, delivery="films", environment="production")
RING = Keyring({"k": bytes(32)}, "k")


@pytest.fixture
def world(database: Database) -> People:
    return People(database)


def count(db: Connection, table: Table) -> int:
    return int(db.execute(select(func.count()).select_from(table)).scalar_one())


def twice(database: Database, work: Callable[[Connection], Any]) -> tuple[Any, Any]:
    return together(database, work, work)


def test_two_processes_that_start_first_are_one_installation(database: Database) -> None:
    assert len(set(twice(database, opening.installation_id))) == 1
    assert len(set(twice(database, lambda db: opening.registry_key(db, RING)))) == 1
    tokens = twice(database, opening.first_admin)
    assert [token is None for token in tokens] == [False, True]
    assert database.read_now(count, schema.user) == 1


def test_a_role_that_two_give_at_once_is_held_once(database: Database, world: People) -> None:
    place = {"organisation": None, "repository_id": world.ids["tide/app"]}
    user = database.read_now(lambda db: db.execute(select(schema.user.c.id)).scalars().first())
    before = database.read_now(count, schema.role)
    database.write_now(lambda db: roles.revoke(db, user, **place))
    left = database.read_now(count, schema.role)
    twice(database, lambda db: roles.grant(db, user, Role.WRITER, **place))
    assert database.read_now(count, schema.role) == left + 1 <= before + 1


def test_a_right_that_two_give_at_once_is_held_once(database: Database, world: People) -> None:
    user = database.read_now(lambda db: db.execute(select(schema.user.c.id)).scalars().first())
    new = twice(database, lambda db: delivery_rights.grant(db, RIGHT, user_id=user))
    assert new == (True, False)
    assert world.ids


def test_two_controllers_may_keep_the_deliveries_at_once(database: Database) -> None:
    homes = {"films-production": "production"}
    twice(database, lambda db: releases.keep(db, {"films": {"services": []}}))
    twice(database, lambda db: releases.reserve(db, "films", homes))
    assert set(database.read_now(releases.deliveries)) == {"films"}
    assert database.read_now(releases.reserved, homes) == set(homes)


def test_steps_of_two_builds_that_are_removed_at_once_are_both_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "_steps", lambda _db, build: {"count": build})
    together(database, lambda db: measures.carry(db, 1), lambda db: measures.carry(db, 2))
    assert database.read_now(settings.get, measures._CARRIED) == {"count": 3}


def test_a_blob_that_is_linked_at_this_moment_is_not_given_up(database: Database) -> None:
    def seed(db: Connection) -> int:
        db.execute(insert(schema.registry_repository).values(name="a/b", created=1))
        values = {"digest": "sha256:1", "size": 1, "key": "k", "touched": 1, "created": 1}
        return int((db.execute(insert(schema.blob).values(values)).inserted_primary_key or [0])[0])

    blob = database.write_now(seed)
    link = {"registry_repository": 1, "blob": blob, "created": 1}
    _, gone = together(
        database,
        lambda db: db.execute(insert(schema.blob_link).values(link)) and None,
        lambda db: registry_gc.remove_unlinked(db, 10),
    )
    assert gone == []
    assert database.read_now(count, schema.blob) == 1


async def test_a_password_that_an_admin_sets_meanwhile_is_not_overwritten(
    database: Database, world: People
) -> None:
    who = await world.identity("wim")
    found = await database.read(passwords._find, who.login)
    assert found is not None
    with pytest.raises(Conflict, match="changed meanwhile"):
        together(
            database,
            lambda db: passwords._change(db, "ada", found, "by ada", confirmed=False),
            lambda db: passwords._change(db, "wim", found, "by wim", confirmed=True),
        )
    held = await database.read(passwords._find, who.login)
    assert held is not None
    assert held.password.password == "by ada"


def test_who_asks_for_something_else_does_not_wait(database: Database) -> None:
    together(database, lambda db: alone(db, "one"), lambda db: alone(db, "other"))
