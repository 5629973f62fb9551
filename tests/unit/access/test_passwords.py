"""Passwords: kept so that nobody can read them, checked with patience."""

from __future__ import annotations

import asyncio

import pytest

from fairway.access import passwords
from fairway.access.identity import Identity
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import Busy, Forbidden, InvalidInput, Unauthenticated
from fairway.model.scope import SYSTEM
from fairway.model.token import TokenScope
from fairway.model.user import Password
from fairway.store import audit, users
from fairway.store.database import Database
from fairway.testing.people import People

GOOD = Secret("correct horse battery")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", (2**4, 8, 1))


def test_what_is_kept_does_not_hold_the_password_and_differs_each_time() -> None:
    one, other = passwords.kept(GOOD), passwords.kept(GOOD)
    assert one != other
    assert "horse" not in one
    assert passwords.right(GOOD, one)
    assert passwords.right(GOOD, other)
    assert not passwords.right(Secret("correct horse batterz"), one)
    assert not passwords.right(GOOD, "")


@pytest.mark.parametrize("text", ["", "short", "x" * 1025])
def test_a_password_too_short_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as told:
        passwords.checked(Secret(text))
    assert told.value.code == "weak-password"


@pytest.mark.parametrize(
    ("failures", "waited_s", "more_s"),
    [(0, 0, 0), (4, 0, 0), (5, 0, 1), (5, 1, 0), (8, 3, 5), (30, 0, 900), (30, 901, 0)],
)
def test_each_wrong_password_after_the_fifth_doubles_the_wait(
    failures: int, waited_s: int, more_s: int
) -> None:
    has = Password(failures=failures, failed=1_000_000)
    assert passwords.wait_s(has, 1_000_000 + waited_s * 1000) == more_s


async def test_a_right_password_gives_a_token_that_ends_and_a_wrong_one_nothing(
    world: People, database: Database
) -> None:
    wim = await world.identity("wim")
    await passwords.change(database, wim, "wim", password=GOOD, current=Secret(""))
    made = await passwords.sign_in(database, "wim", GOOD, name="desk")
    assert made.expires is not None
    assert made.expires > clock.now()
    for login, password in (("wim", "wrong password"), ("nobody", "wrong password")):
        with pytest.raises(Unauthenticated) as told:
            await passwords.sign_in(database, login, Secret(password), name="desk")
        assert told.value.code == "bad-password"


async def test_many_wrong_passwords_hold_up_even_the_right_one_and_tokens_hold_on(
    world: People, database: Database
) -> None:
    wim = await world.identity("wim")
    await passwords.change(database, wim, "wim", password=GOOD, current=Secret(""))
    for _ in range(passwords.FREE):
        with pytest.raises(Unauthenticated):
            await passwords.sign_in(database, "wim", Secret("wrong password"), name="desk")
    with pytest.raises(Busy) as told:
        await passwords.sign_in(database, "wim", GOOD, name="desk")
    assert told.value.code == "too-many-passwords"


async def test_wrong_passwords_that_come_at_once_do_not_pass_the_pause_together(
    world: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wim = await world.identity("wim")
    await passwords.change(database, wim, "wim", password=GOOD, current=Secret(""))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    wrong = Secret("wrong password")
    tries = [passwords.sign_in(database, "wim", wrong, name="desk") for _ in range(20)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(end) for end in ends] == [Unauthenticated] * passwords.FREE + [Busy] * 15


async def test_an_inactive_user_cannot_sign_in(world: People, database: Database) -> None:
    wim = await world.identity("wim")
    await passwords.change(database, wim, "wim", password=GOOD, current=Secret(""))
    await database.write(users.change, wim.user_id or 0, active=False)
    with pytest.raises(Unauthenticated):
        await passwords.sign_in(database, "wim", GOOD, name="desk")


async def test_ones_own_password_is_changed_by_who_knows_it_and_anothers_by_an_admin(
    world: People, database: Database
) -> None:
    rea = await world.identity("rea")
    await passwords.change(database, rea, "rea", password=GOOD, current=Secret(""))
    fresh = Secret("another good one")
    with pytest.raises(Forbidden) as told:
        await passwords.change(database, rea, "rea", password=fresh, current=Secret("guessed one"))
    assert told.value.code == "wrong-current-password"
    with pytest.raises(Forbidden):
        await passwords.change(database, rea, "wim", password=fresh, current=GOOD)
    await passwords.change(database, rea, "rea", password=fresh, current=GOOD)
    await passwords.sign_in(database, "rea", fresh, name="desk")
    weak = Identity(user_id=rea.user_id, login="rea", scopes=frozenset({TokenScope.REPO_READ}))
    with pytest.raises(Forbidden):
        await passwords.change(database, weak, "rea", password=GOOD, current=fresh)
    admin = await world.identity("ada")
    await passwords.change(database, admin, "rea", password=GOOD, current=Secret(""))
    await passwords.sign_in(database, "rea", GOOD, name="desk")
    entries = await database.read(audit.listing, SYSTEM, subject="user/rea")
    assert [entry.actor for entry in entries if entry.action == "user.password"] == [
        "ada", "rea", "rea",
    ]  # fmt: skip
