"""A rotation seals everything anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from fairway.access.identity import SYSTEM
from fairway.access.keyring import key_id, open_keyring, repository_place, secret_place
from fairway.access.rotation import reseal, rotate
from fairway.boot.opening import registry_key
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import Forbidden, Unavailable
from fairway.store import repositories, schema
from fairway.store.database import Database
from fairway.testing.people import People
from fairway.testing.together import together


async def test_after_a_rotation_only_the_new_key_is_left(
    database: Database, tmp_path: Path
) -> None:
    people = People(database)
    ring = open_keyring(tmp_path / "key")
    number = people.ids["tide/app"]
    secret = {"name": "token", "key_id": ring.current, "created": clock.now(), "updated": 0}
    place = secret_place(None, number, "token")
    sealed = ring.seal(Secret("one"), place=place)
    row = insert(schema.secret).values(repository=number, sealed=sealed, **secret)
    await database.write(lambda db: db.execute(row) and None)
    hook = repository_place(number, "hook_secret")
    value = ring.seal(Secret("two"), place=hook)
    await database.write(repositories.seal, number, "hook_secret", value)
    old = ring.current
    done = await rotate(database, ring, SYSTEM)
    assert (done.values, done.retired) == (2, [old])
    fresh = open_keyring(tmp_path / "key")
    found = await database.read(repositories.sealed, number, "hook_secret")
    assert found is not None
    assert fresh.open(found, place=hook) == Secret("two")
    stored = await database.read(lambda db: db.execute(schema.secret.select()).one())
    assert (stored.key_id, key_id(stored.sealed)) == (done.key, done.key)
    assert fresh.open(stored.sealed, place=place) == Secret("one")


async def test_no_key_is_dropped_while_a_value_does_not_open(
    database: Database, tmp_path: Path
) -> None:
    people = People(database)
    ring = open_keyring(tmp_path / "key")
    number = people.ids["tide/app"]
    wrong = ring.seal(Secret("x"), place="another place")
    await database.write(repositories.seal, number, "hook_secret", wrong)
    old = ring.current
    with pytest.raises(Unavailable):
        await rotate(database, ring, SYSTEM)
    assert open_keyring(tmp_path / "key").open(wrong, place="another place") == Secret("x")
    assert key_id(wrong) == old


async def test_only_an_admin_rotates(database: Database, tmp_path: Path) -> None:
    people = People(database)
    with pytest.raises(Forbidden):
        await rotate(database, open_keyring(tmp_path / "key"), await people.identity("max"))


async def test_the_next_start_opens_the_registry_s_key_after_a_rotation(
    database: Database, tmp_path: Path
) -> None:
    ring = open_keyring(tmp_path / "key")
    key = database.write_now(registry_key, ring)
    await rotate(database, ring, SYSTEM)
    assert database.write_now(registry_key, open_keyring(tmp_path / "key")) == key


def test_another_process_seals_with_the_key_of_a_rotation(tmp_path: Path) -> None:
    ring, other = open_keyring(tmp_path / "key"), open_keyring(tmp_path / "key")
    fresh = ring.rotate()
    ring.retire()
    sealed = other.seal(Secret("x"), place="here")
    assert key_id(sealed) == fresh
    assert ring.open(sealed, place="here") == Secret("x")


async def test_a_value_that_somebody_sets_while_the_key_rotates_stands(
    database: Database, tmp_path: Path
) -> None:
    number = People(database).ids["tide/app"]
    ring = open_keyring(tmp_path / "key")
    place = repository_place(number, "hook_secret")
    before, after = (ring.seal(Secret(text), place=place) for text in ("before", "after"))
    await database.write(repositories.seal, number, "hook_secret", before)
    ring.rotate()
    together(
        database,
        lambda db: repositories.seal(db, number, "hook_secret", after),
        lambda db: reseal(db, ring, actor="ada"),
    )
    ring.retire()
    found = await database.read(repositories.sealed, number, "hook_secret")
    assert found is not None
    assert ring.open(found, place=place) == Secret("after")
