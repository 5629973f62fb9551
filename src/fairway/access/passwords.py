"""Passwords: kept as scrypt makes them, checked with patience, exchanged for a token.

scrypt's cost is that of OWASP's password storage cheat sheet (N = 2^15, r = 8, p = 3: 32 MiB).
A wrong password costs time: after `FREE` in a row, each next try waits twice as long, up to
`LONGEST_S`. Tokens hold on meanwhile, so nobody locks another out of his work.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Final
from weakref import WeakValueDictionary

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.access.scope import full
from fairway.access.tokens import Minted, mint
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.secret import Secret
from fairway.model.errors import Busy, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from fairway.model.token import TokenScope
from fairway.model.user import Password, User
from fairway.store import audit, users
from fairway.store.database import Database

SHORTEST: Final = 10  # characters
LONGEST: Final = 1024  # bytes: more would only cost us time
FREE: Final = 5
LONGEST_S: Final = 900
SESSION_S: Final = 30 * 86_400  # how long a token that a password made holds
_COST: Final = (2**15, 8, 3)
_MEMORY: Final = 64 * 1024 * 1024
_turns: Final[WeakValueDictionary[str, asyncio.Lock]] = WeakValueDictionary()  # by login


class _Found(Struct, frozen=True):
    user: User
    password: Password


def checked(password: Secret) -> None:
    """Raise `InvalidInput` (code `weak-password`) for one too short, or too long to check."""
    text = password.reveal()
    if len(text) < SHORTEST or len(text.encode()) > LONGEST:
        raise InvalidInput(
            f"a password has at least {SHORTEST} characters, and at most {LONGEST} bytes",
            code="weak-password",
            remedy="take a few words; `fairway token create` needs none",
        )


def kept(password: Secret) -> str:
    """A password's kept form: `scrypt$N$r$p$salt$key`. Takes some tenths of a second; blocks."""
    salt = secrets.token_bytes(16)
    return "$".join(["scrypt", *map(str, _COST), _text(salt), _text(_key(password, salt, _COST))])


def right(password: Secret, form: str) -> bool:
    """Whether it is the one. Takes as long for nobody's password ("") as for any. Blocks."""
    parts = form.split("$")
    if len(parts) != 6:
        _key(password, bytes(16), _COST)
        return False
    cost = (int(parts[1]), int(parts[2]), int(parts[3]))
    key = _key(password, base64.b64decode(parts[4]), cost)
    return hmac.compare_digest(key, base64.b64decode(parts[5]))


def wait_s(password: Password, now: int) -> float:
    """Seconds until the next try counts; 0 when it does now. `now`: milliseconds UTC."""
    over = password.failures - FREE
    if over < 0 or password.failed is None:
        return 0.0
    pause = min(2.0**over, LONGEST_S)
    return max(0.0, (password.failed - now) / 1000 + pause)


async def sign_in(database: Database, login: str, password: Secret, *, name: str) -> Minted:
    """A token of a session's length, with all that the user may do, for a right password.

    Tries for one user follow one another: those that come at once do not pass the pause together.

    Raises `Unauthenticated` (code `bad-password`; the same for an unknown user), or `Busy` (code
    `too-many-passwords`): to be tried again after what its remedy says.
    """
    turn = _turns.setdefault(login, asyncio.Lock())
    async with turn:
        return await _try(database, login, password, name)


async def _try(database: Database, login: str, password: Secret, name: str) -> Minted:
    found = await database.read(_find, login)
    if found is not None and (pause := wait_s(found.password, clock.now())) > 0:
        raise Busy(
            f"too many wrong passwords for {login[:100]!r}",
            code="too-many-passwords",
            remedy=f"try again in {pause:.0f} s; tokens hold on",
        )
    form = found.password.password if found is not None and found.user.active else ""
    fits = len(password.reveal().encode()) <= LONGEST
    holds = fits and await blocking(right, password, form)  # as long for an unknown user
    if found is None or not holds:
        if found is not None:
            await database.write(users.note_failure, found.user.id, clock.now())
        raise Unauthenticated(
            "the user name or the password is wrong",
            code="bad-password",
            remedy="`fairway login URL --user NAME` asks again; an admin can set a new one",
        )
    return await database.write(_signed_in, found.user, name)


def _find(db: Connection, login: str) -> _Found | None:
    found = users.by_login(db, login)
    return None if found is None else _Found(found, users.password(db, found.id))


def _signed_in(db: Connection, who: User, name: str) -> Minted:
    users.forget_failures(db, who.id)
    expires = clock.now() + SESSION_S * 1000
    return mint(db, who.id, name=name, scopes=[TokenScope.ADMIN], expires=expires, actor=who.login)


async def change(
    database: Database, who: Identity, login: str, *, password: Secret, current: Secret
) -> None:
    """Set a user's password: one's own with the current one, anybody's as an admin.

    Raises `Forbidden`, `NotFound`, `InvalidInput`, and `Conflict` (`password-changed`) where it was
    set meanwhile.
    """
    own = login == who.login
    if not own:
        require_admin(who)
    checked(password)
    found = await database.read(_find, login)
    if found is None:
        raise NotFound(f"there is no user {login[:100]!r}", code="no-user")
    if own and not full(who):
        await _confirm(found.password, who, current)
    form = await blocking(kept, password)
    await database.write(_change, who.login, found, form, confirmed=own)


async def _confirm(has: Password, who: Identity, current: Secret) -> None:
    """One's own password is changed by whoever knows it, in a session that may do all."""
    if who.build is not None or not who.holds(TokenScope.ADMIN):
        raise Forbidden(
            "this needs a token of scope admin",
            code="token-scope",
            remedy="`fairway login URL --user NAME`",
        )
    if has.password and not await blocking(right, current, has.password):
        raise Forbidden(
            "the current password is wrong",
            code="wrong-current-password",
            remedy="an admin can set a new one",
        )


def _change(db: Connection, actor: str, found: _Found, form: str, *, confirmed: bool) -> None:
    """Write it; what was confirmed with a password holds while that one does."""
    held = users.locked_password(db, found.user.id)
    if confirmed and held.password != found.password.password:
        raise Conflict(
            "the password has been changed meanwhile",
            code="password-changed",
            remedy="sign in with the new one and repeat the change",
        )
    users.set_password(db, found.user.id, form)
    audit.append(db, actor, "user.password", f"user/{found.user.login}")


def _key(password: Secret, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    text = password.reveal().encode()
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
