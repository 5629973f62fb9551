"""Repositories. Writing belongs to `source`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from fairway.kit import clock
from fairway.model.repository import Repository, Settings, Visibility
from fairway.model.role import Role
from fairway.model.scope import SYSTEM, Scope
from fairway.store import roles
from fairway.store.schema import repository

_SEALED: Final = frozenset({"remote_credentials", "hook_secret", "signing_key"})
_COLUMNS: Final = [column for column in repository.c if column.name not in _SEALED]


def create(
    db: Connection, *, organisation: int, slug: str, values: Mapping[str, Any] | None = None
) -> Repository:
    """Write a new repository; the slug must be free (ask in the same transaction)."""
    row = {
        "slug": slug,
        "name": slug.partition("/")[2],
        "organisation": organisation,
        "created": clock.now(),
        **_columns(values or {}),
    }
    made = db.execute(insert(repository).values(row).returning(*_COLUMNS)).mappings().one()
    return _repository(made)


def by_slug(
    db: Connection, scope: Scope, slug: str, *, least: Role = Role.READER
) -> Repository | None:
    """The repository of that slug, if the scope has at least that role there."""
    query = select(*_COLUMNS).where(repository.c.slug == slug, roles.visible(scope, least))
    row = db.execute(query).mappings().first()
    return _repository(row) if row else None


def by_id(
    db: Connection, scope: Scope, number: int, *, least: Role = Role.READER
) -> Repository | None:
    """The repository of that id, if the scope has at least that role there."""
    query = select(*_COLUMNS).where(repository.c.id == number, roles.visible(scope, least))
    row = db.execute(query).mappings().first()
    return _repository(row) if row else None


def named(db: Connection, slug: str) -> Repository | None:
    """The repository of that slug whoever asks: to decide rights on it, never to show it."""
    return by_slug(db, SYSTEM, slug)


def listing(
    db: Connection,
    scope: Scope,
    *,
    organisation: int | None = None,
    least: Role = Role.READER,
    after: str = "",
    limit: int = 100,
) -> list[Repository]:
    """Repositories by slug, above `after`."""
    query = (
        select(*_COLUMNS)
        .where(repository.c.slug > after, roles.visible(scope, least))
        .order_by(repository.c.slug)
        .limit(limit)
    )
    if organisation is not None:
        query = query.where(repository.c.organisation == organisation)
    return [_repository(row) for row in db.execute(query).mappings()]


def change(db: Connection, number: int, version: int, values: Mapping[str, Any]) -> bool:
    """Set columns, if the row still has that version. Returns whether it had."""
    query = (
        update(repository)
        .where(repository.c.id == number, repository.c.version == version)
        .values(**_columns(values), version=version + 1)
    )
    return bool(db.execute(query).rowcount)


def remove(db: Connection, number: int) -> bool:
    """Delete a repository and all that belongs to it. Returns whether there was one."""
    return bool(db.execute(delete(repository).where(repository.c.id == number)).rowcount)


def sealed(db: Connection, number: int, column: str) -> bytes | None:
    """A sealed column: remote_credentials, hook_secret or signing_key."""
    found: bytes | None = db.execute(
        select(repository.c[_secret(column)]).where(repository.c.id == number)
    ).scalar()
    return found


def seal(db: Connection, number: int, column: str, value: bytes | None) -> None:
    """Set a sealed column."""
    query = update(repository).where(repository.c.id == number)
    db.execute(query.values({_secret(column): value}))


def remotes(db: Connection) -> list[Repository]:
    """Every active repository that lives elsewhere."""
    query = select(*_COLUMNS).where(repository.c.remote_url != "", repository.c.active)
    return [_repository(row) for row in db.execute(query).mappings()]


def polling(db: Connection, number: int) -> None:
    """A remote repository is looked at from now on: a wake-up that comes later stays due."""
    query = update(repository).where(repository.c.id == number)
    db.execute(query.values(polled=clock.now()))


def polled(db: Connection, number: int, *, error: str) -> None:
    """A remote repository was looked at. Not a change of its version."""
    query = update(repository).where(repository.c.id == number)
    db.execute(query.values(poll_error=error[:2000]))


def ask_poll(db: Connection, number: int) -> None:
    """A remote repository is to be looked at now."""
    db.execute(update(repository).where(repository.c.id == number).values(polled=None))


def all_of(db: Connection) -> list[Repository]:
    """Every repository, for start-up."""
    return listing(db, SYSTEM, limit=1_000_000)


def _secret(column: str) -> str:
    if column not in _SEALED:
        raise ValueError(f"{column} is not sealed")
    return column


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: msgspec.to_builtins(value) for name, value in values.items()}


def _repository(row: RowMapping) -> Repository:
    values = dict(row)
    values["visibility"] = Visibility(values["visibility"])
    values["settings"] = msgspec.convert(values["settings"], Settings)
    return Repository(**values)
