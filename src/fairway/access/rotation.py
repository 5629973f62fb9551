"""Rotation: a new key, every sealed value sealed with it, and only then the old keys dropped."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.access.keyring import Keyring, repository_place, secret_place, stage_place
from fairway.kit.aio import blocking
from fairway.store import audit, sealed
from fairway.store.database import Database


class Rotated(Struct, frozen=True):
    """What a rotation did."""

    key: str
    values: int
    retired: list[str]


async def rotate(database: Database, keyring: Keyring, identity: Identity) -> Rotated:
    """Rotate the key. May be repeated after a crash: old keys open until all is sealed anew.

    Raises `Forbidden`, `InvalidInput` (the environment gave the key) and `Unavailable` (a value
    that does not open: nothing is dropped then).
    """
    require_admin(identity)
    key = await blocking(keyring.rotate)
    count = await database.write(reseal, keyring, actor=identity.login)
    return Rotated(key, count, await blocking(keyring.retire))


def reseal(db: Connection, keyring: Keyring, *, actor: str) -> int:
    """Seal every value with the current key. Returns how many were sealed with another."""

    def again(value: bytes, place: str) -> tuple[bytes, str] | None:
        fresh = keyring.reseal(value, place=place)
        return None if fresh is None else (fresh, keyring.current)

    count, places = 0, (secret_place, repository_place, stage_place)
    while more := sealed.reseal_all(db, places, again):
        count += more
    audit.append(db, actor, "key.rotate", "keyring", after={"key": keyring.current, "n": count})
    return count
