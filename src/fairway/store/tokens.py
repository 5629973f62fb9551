"""Tokens: their digests and limits, never their values. Writing belongs to `access`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, insert, select, update

from fairway.kit import clock
from fairway.model.scope import Scope
from fairway.model.token import Token, TokenFacts, TokenScope
from fairway.store.schema import build, repository, token, user


def create(
    db: Connection,
    user_id: int,
    *,
    digest: str,
    name: str,
    scopes: Sequence[TokenScope],
    repository_id: int | None = None,
    build_id: int | None = None,
    expires: int | None = None,
) -> Token:
    """Write a token's row."""
    values = {
        "user": user_id,
        "digest": digest,
        "name": name,
        "scopes": [str(each) for each in scopes],
        "repository": repository_id,
        "build": build_id,
        "expires": expires,
        "created": clock.now(),
    }
    row = db.execute(insert(token).values(values).returning(*token.c)).mappings().one()
    return _token(row)


def by_digest(db: Connection, digest: str) -> TokenFacts | None:
    """A token with what decides whether it holds. For `access`."""
    query = (
        select(
            token,
            user.c.login,
            user.c.admin,
            user.c.active,
            user.c.machine,
            build.c.status.label("build_status"),
            repository.c.id.label("build_repository"),
            repository.c.organisation.label("build_organisation"),
        )
        .join(user, user.c.id == token.c.user)
        .outerjoin(build, build.c.id == token.c.build)
        .outerjoin(repository, repository.c.id == build.c.repository)
        .where(token.c.digest == digest)
    )
    row = db.execute(query).mappings().first()
    if row is None:
        return None
    return TokenFacts(
        token=_token(row),
        login=row["login"],
        admin=row["admin"],
        active=row["active"],
        machine=row["machine"],
        build_status=row["build_status"] or "",
        build_repository=row["build_repository"],
        build_organisation=row["build_organisation"],
    )


def by_id(db: Connection, scope: Scope, number: int) -> Token | None:
    """A token of the scope's own user, or any for an admin."""
    query = select(token).where(token.c.id == number)
    if not scope.unbounded:
        query = query.where(token.c.user == (scope.user or 0))
    row = db.execute(query).mappings().first()
    return _token(row) if row else None


def listing(
    db: Connection, scope: Scope, *, user_id: int | None = None, after: int = 0, limit: int = 100
) -> list[Token]:
    """Tokens of the scope's own user (an admin: of `user_id`, or all) that no build owns."""
    query = (
        select(token)
        .where(token.c.id > after, token.c.build.is_(None))
        .order_by(token.c.id)
        .limit(limit)
    )
    if not scope.unbounded:
        query = query.where(token.c.user == (scope.user or 0))
    if user_id is not None:
        query = query.where(token.c.user == user_id)
    return [_token(row) for row in db.execute(query).mappings()]


def revoke(db: Connection, number: int) -> bool:
    """End a token now. Returns whether it had not been revoked."""
    query = update(token).where(token.c.id == number, token.c.revoked.is_(None))
    return bool(db.execute(query.values(revoked=clock.now())).rowcount)


def revoke_build(db: Connection, build_id: int) -> int:
    """End all tokens of a build. Returns how many."""
    query = update(token).where(token.c.build == build_id, token.c.revoked.is_(None))
    return int(db.execute(query.values(revoked=clock.now())).rowcount)


def used(db: Connection, number: int, at: int) -> None:
    """Remember when a token was last used."""
    db.execute(update(token).where(token.c.id == number).values(used=at))


def _token(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        user=row["user"],
        name=row["name"],
        scopes=[TokenScope(each) for each in row["scopes"]],
        repository=row["repository"],
        build=row["build"],
        expires=row["expires"],
        revoked=row["revoked"],
        used=row["used"],
        created=row["created"],
    )
