"""Tokens: made, checked, ended. Only the SHA-256 of a token is kept.

A checked token is remembered for `REMEMBER_S`: one ended in another process holds that much longer
here; one ended through this object ends at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from fairway.access.identity import ANONYMOUS, Identity, credentials
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unauthenticated
from fairway.model.status import Status
from fairway.model.token import Token, TokenFacts, TokenScope
from fairway.store import audit, users
from fairway.store import tokens as rows
from fairway.store.database import Database

PREFIX: Final = "fwy_"
REMEMBER_S: Final = 3.0
BUILD_LOGIN: Final = "fairway-build"
BUILD_SCOPES: Final = (
    TokenScope.REPO_READ,
    TokenScope.BUILD_READ,
    TokenScope.REGISTRY_PULL,
    TokenScope.REGISTRY_PUSH,
)
_USED_EVERY_MS: Final = 60_000
_REMEMBERED: Final = 4096
_SHAPE: Final = re.compile(r"fwy_[A-Za-z0-9_-]{43}")


class Minted(Token, frozen=True, kw_only=True):
    """A new token with its value: shown this once."""

    value: Secret


class Tokens:
    """All tokens of this Fairway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Identity]] = {}

    async def identify(self, authorization: str | None) -> Identity:
        """Who sends this `Authorization` header; `ANONYMOUS` without one.

        Raises `Unauthenticated` for a header or token that does not hold.
        """
        value = credentials(authorization)
        return ANONYMOUS if value is None else await self.verify(value)

    async def verify(self, value: Secret) -> Identity:
        """Who shows this token. Raises `Unauthenticated`."""
        if not _SHAPE.fullmatch(value.reveal()):
            raise _refused()
        digest = digest_of(value)
        now = asyncio.get_running_loop().time()
        until, identity = self._known.get(digest, (0.0, ANONYMOUS))
        if until > now:
            return identity
        identity, stale = await self._database.read(_verify, digest)
        if stale and identity.token_id is not None:
            await self._database.write(rows.used, identity.token_id, clock.now())
        if identity.build is None:  # a build's own ends with it, at once and in every process
            self._remember(digest, now, identity)
        return identity

    def _remember(self, digest: str, now: float, identity: Identity) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[digest] = (now + REMEMBER_S, identity)

    async def mint(
        self,
        user_id: int,
        *,
        name: str,
        scopes: Sequence[TokenScope],
        repository_id: int | None = None,
        expires: int | None = None,
        actor: str,
    ) -> Minted:
        """Make a token for a user. Raises `InvalidInput`."""
        return await self._database.write(
            mint,
            user_id,
            name=name,
            scopes=scopes,
            repository_id=repository_id,
            expires=expires,
            actor=actor,
        )

    async def mint_for_build(
        self, build_id: int, *, scopes: Sequence[TokenScope] = BUILD_SCOPES, expires: int
    ) -> Secret:
        """A build's own credentials: they end with it, at the latest at `expires`."""
        return await self._database.write(mint_for_build, build_id, scopes=scopes, expires=expires)

    async def revoke(self, token_id: int, *, actor: str) -> bool:
        """End a token at once. Returns whether it had not ended."""
        self.forget(token_id=token_id)
        done = await self._database.write(revoke, token_id, actor=actor)
        self.forget(token_id=token_id)
        return done

    def forget(self, *, token_id: int | None = None) -> None:
        """Check again at the next use: one token, or (nothing given) all."""
        for digest, (_, identity) in list(self._known.items()):
            if token_id is None or identity.token_id == token_id:
                self._known.pop(digest, None)


def digest_of(value: Secret) -> str:
    """What is kept of a token. It has 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(value.reveal().encode()).hexdigest()


def mint(
    db: Connection,
    user_id: int,
    *,
    name: str,
    scopes: Sequence[TokenScope],
    repository_id: int | None = None,
    expires: int | None = None,
    actor: str,
) -> Minted:
    """`Tokens.mint` within a transaction."""
    if not scopes:
        raise InvalidInput(
            "a token without a scope can do nothing",
            code="no-token-scope",
            remedy="name at least one of: " + ", ".join(TokenScope),
        )
    if expires is not None and expires <= clock.now():
        raise InvalidInput(
            "the token would have expired already", code="expiry-past", remedy="name a later time"
        )
    value = _new()
    made = rows.create(
        db,
        user_id,
        digest=digest_of(value),
        name=name,
        scopes=scopes,
        repository_id=repository_id,
        expires=expires,
    )
    audit.append(db, actor, "token.create", f"token/{made.id}", after=made)
    return Minted(**{field: getattr(made, field) for field in made.__struct_fields__}, value=value)


def mint_for_build(
    db: Connection, build_id: int, *, scopes: Sequence[TokenScope] = BUILD_SCOPES, expires: int
) -> Secret:
    """`Tokens.mint_for_build` within a transaction. No audit entry: the build is one."""
    owner = users.ensure_machine(db, BUILD_LOGIN)
    value = _new()
    rows.create(
        db,
        owner.id,
        digest=digest_of(value),
        name=f"build {build_id}",
        scopes=scopes,
        build_id=build_id,
        expires=expires,
    )
    return value


def revoke(db: Connection, token_id: int, *, actor: str) -> bool:
    """`Tokens.revoke` within a transaction (then `Tokens.forget` as well)."""
    done = rows.revoke(db, token_id)
    if done:
        audit.append(db, actor, "token.revoke", f"token/{token_id}")
    return done


def _new() -> Secret:
    return Secret(PREFIX + secrets.token_urlsafe(32))


def _verify(db: Connection, digest: str) -> tuple[Identity, bool]:
    facts = rows.by_digest(db, digest)
    if facts is None or not _holds(facts):
        raise _refused()
    token = facts.token
    identity = Identity(
        user_id=token.user,
        login=facts.login,
        admin=facts.admin,
        machine=facts.machine,
        scopes=frozenset(token.scopes),
        token_id=token.id,
        only=token.repository,
        build=token.build,
        build_repository=facts.build_repository,
        build_organisation=facts.build_organisation,
    )
    stale = token.build is None and (token.used or 0) + _USED_EVERY_MS < clock.now()
    return identity, stale


def _holds(facts: TokenFacts) -> bool:
    token = facts.token
    if token.revoked is not None or not facts.active:
        return False
    if token.expires is not None and token.expires <= clock.now():
        return False
    if token.build is not None:
        return bool(facts.build_status) and not Status(facts.build_status).done
    return True


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "this token does not hold: it is unknown, has expired or was revoked",
        code="bad-token",
        remedy="make one with `fairway token create`, then `fairway login`",
    )
