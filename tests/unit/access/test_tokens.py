"""Tokens: made, checked, ended."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import select, update

from fairway.access.identity import ANONYMOUS
from fairway.access.tokens import Tokens, digest_of
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unauthenticated
from fairway.model.scope import SYSTEM
from fairway.model.token import TokenScope
from fairway.store import audit, schema, users
from fairway.testing.people import People


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def test_a_token_comes_as_bearer_or_as_a_password(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    value = token.value.reveal()
    assert value.startswith("fwy_")
    headers = ("Bearer " + value, basic("wim", value), basic("any", value), basic(value, ""))
    for header in headers:
        assert (await world.tokens.identify(header)).login == "wim"


async def test_no_header_is_nobody(world: People) -> None:
    assert await world.tokens.identify(None) is ANONYMOUS


@pytest.mark.parametrize(
    "header",
    [
        "Bearer nonsense",
        "Bearer fwy_" + "a" * 43,
        "Digest x",
        "Basic !!!",
        "Basic YWJj",
        "x",
        "Basic ü",
    ],
)
async def test_a_header_that_does_not_hold_is_refused(world: People, header: str) -> None:
    with pytest.raises(Unauthenticated):
        await world.tokens.identify(header)


async def test_the_value_is_kept_nowhere(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    secret = token.value.reveal()
    for table in (schema.token, schema.audit):
        rows = await world.database.read(lambda db, t=table: db.execute(select(t)).all())
        assert rows
        assert secret not in repr(rows)
    assert secret not in repr(token)


async def test_an_expired_token_does_not_hold(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"],
        name="t",
        scopes=[TokenScope.REPO_READ],
        expires=clock.now() + 50_000,
        actor="ada",
    )
    later = clock.seconds() + 60
    former = clock.use(lambda: later)
    try:
        with pytest.raises(Unauthenticated):
            await world.tokens.verify(token.value)
    finally:
        clock.use(former)
    assert (await world.tokens.verify(token.value)).login == "wim"


async def test_a_revoked_token_ends_at_once_and_leaves_an_audit_entry(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    await world.tokens.verify(token.value)
    assert await world.tokens.revoke(token.id, actor="ada")
    assert not await world.tokens.revoke(token.id, actor="ada")
    with pytest.raises(Unauthenticated):
        await world.tokens.verify(token.value)
    entries = await world.database.read(audit.listing, SYSTEM)
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("ada", "token.revoke"),
        ("ada", "token.create"),
    ]


async def test_an_inactive_users_token_does_not_hold(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    await world.database.write(users.change, world.ids["wim"], active=False)
    with pytest.raises(Unauthenticated):
        await world.tokens.verify(token.value)


@pytest.mark.parametrize("status", ["passed", "failed", "cancelled"])
async def test_a_builds_token_ends_with_the_build(world: People, status: str) -> None:
    build = world.build("tide/app")
    token = await world.tokens.mint_for_build(build, expires=clock.now() + 60_000)
    assert (await world.tokens.verify(token)).build == build
    query = update(schema.build).where(schema.build.c.id == build).values(status=status)
    await world.database.write(lambda db: db.execute(query) and None)
    with pytest.raises(Unauthenticated):
        await world.tokens.verify(token)


async def test_a_checked_token_is_remembered_for_some_seconds_only(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    await world.tokens.verify(token.value)
    fresh = Tokens(world.database)
    await world.database.write(users.change, world.ids["wim"], active=False)
    assert (await world.tokens.verify(token.value)).login == "wim"
    with pytest.raises(Unauthenticated):
        await fresh.verify(token.value)


async def test_the_time_of_use_is_written(world: People) -> None:
    token = await world.tokens.mint(
        world.ids["wim"], name="t", scopes=[TokenScope.REPO_READ], actor="ada"
    )
    await world.tokens.verify(token.value)
    query = select(schema.token.c.used).where(schema.token.c.digest == digest_of(token.value))
    assert await world.database.read(lambda db: db.execute(query).scalar())


async def test_a_token_needs_a_scope_and_a_future(world: People) -> None:
    with pytest.raises(InvalidInput, match="scope"):
        await world.tokens.mint(world.ids["wim"], name="t", scopes=[], actor="ada")
    with pytest.raises(InvalidInput, match="expired"):
        await world.tokens.mint(
            world.ids["wim"], name="t", scopes=[TokenScope.ADMIN], expires=1, actor="ada"
        )


async def test_a_long_password_is_refused_without_asking_the_store(world: People) -> None:
    world.database.close()
    with pytest.raises(Unauthenticated):
        await world.tokens.verify(Secret("fwy_" + "x" * 10_000))
