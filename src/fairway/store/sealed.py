"""Every sealed value with its place: for the rotation of keys. Writing belongs to `access`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, select, update

from fairway.store import settings
from fairway.store.schema import channel, repository, secret, stage

REGISTRY_KEY: Final = "registry.key"  # the setting's name, and its place
_COLUMNS = ("remote_credentials", "hook_secret", "signing_key")
Places = tuple[
    Callable[[int | None, int | None, str], str], Callable[[int, str], str], Callable[[int], str]
]
Again = Callable[[bytes, str], tuple[bytes, str] | None]


def reseal_all(db: Connection, places: Places, again: Again) -> int:
    """Give every sealed value to `again` with its place; write what it returns (and the key's id)
    where it still stands: one that somebody sets meanwhile is theirs.

    Returns for how many; until that is 0, there may be more.
    """
    count = 0
    for number, place, sealed in list(_secrets(db, places)):
        if (fresh := again(sealed, place)) is not None:
            query = update(secret).where(secret.c.id == number, secret.c.sealed == sealed)
            values = {"sealed": fresh[0], "key_id": fresh[1]}
            db.execute(query.values(values))
            count += 1
    for number, column, place, sealed in list(_of_repositories(db, places)):
        if (fresh := again(sealed, place)) is not None:
            same = repository.c[column] == sealed
            query = update(repository).where(repository.c.id == number, same)
            db.execute(query.values({column: fresh[0]}))
            count += 1
    for number, place, sealed in list(_of_stages(db, places)):
        if (fresh := again(sealed, place)) is not None:
            query = update(stage).where(stage.c.id == number, stage.c.credential == sealed)
            db.execute(query.values(credential=fresh[0]))
            count += 1
    return count + _channel_keys(db, again) + _registry_key(db, again)


def _channel_keys(db: Connection, again: Again) -> int:
    count = 0
    for number, place, sealed in list(_channels(db)):
        if (fresh := again(sealed, place)) is not None:
            query = update(channel).where(channel.c.id == number, channel.c.sealed == sealed)
            db.execute(query.values(sealed=fresh[0]))
            count += 1
    return count


def _registry_key(db: Connection, again: Again) -> int:
    """The key of the registry's tokens, which is a setting: without it no process starts."""
    stored = settings.get(db, REGISTRY_KEY)
    fresh = None if stored is None else again(base64.b64decode(stored), REGISTRY_KEY)
    if fresh is None:
        return 0
    settings.put(db, REGISTRY_KEY, base64.b64encode(fresh[0]).decode("ascii"))
    return 1


def _secrets(db: Connection, places: Places) -> Iterator[tuple[int, str, bytes]]:
    query = select(
        secret.c.id, secret.c.organisation, secret.c.repository, secret.c.name, secret.c.sealed
    )
    for row in db.execute(query):
        yield row.id, places[0](row.organisation, row.repository, row.name), row.sealed


def _of_repositories(db: Connection, places: Places) -> Iterator[tuple[int, str, str, bytes]]:
    query = select(repository.c.id, *(repository.c[name] for name in _COLUMNS))
    for row in db.execute(query).mappings():
        for column in _COLUMNS:
            if row[column] is not None:
                yield row["id"], column, places[1](row["id"], column), row[column]


def _of_stages(db: Connection, places: Places) -> Iterator[tuple[int, str, bytes]]:
    """Credentials of stages that have not ended: the others' are worth nothing."""
    query = select(stage.c.id, stage.c.credential).where(
        stage.c.credential.is_not(None), stage.c.stopped.is_(None)
    )
    for row in db.execute(query):
        yield row.id, places[2](row.id), row.credential


def _channels(db: Connection) -> Iterator[tuple[int, str, bytes]]:
    for row in db.execute(select(channel.c.id, channel.c.name, channel.c.sealed)):
        yield row.id, channel_place(row.name), row.sealed


def channel_place(name: str) -> str:
    """The place of a channel's token or key."""
    return f"channel/{name}"
