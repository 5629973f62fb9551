"""The registry's records: repositories, blobs and their links, manifests, tags, uploads.

A digest is never trusted to stay: whoever is told that something is there has touched it in the
same transaction, and collection (`store/registry_gc.py`) leaves alone what was touched lately.
That, and `touch before you look`, makes both databases' isolation enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Select, collate, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.store.schema import (
    blob,
    blob_link,
    registry_repository,
    repository,
    upload,
)

T = TypeVar("T")

_TOUCH_AGAIN_MS: Final = 60_000
_BATCH: Final = 500


class Blob(Struct, frozen=True):
    """A blob that a repository holds. `key` is its place in the blob store."""

    id: int
    digest: str
    key: str
    size: int
    touched: int = 0


class Upload(Struct, frozen=True):
    """An upload that goes on."""

    id: str
    repository: int
    created: int
    updated: int


# ---- repositories -------------------------------------------------------------------------------


def find_repository(db: Connection, name: str) -> int | None:
    """The id of a registry repository, or None."""
    query = select(registry_repository.c.id).where(registry_repository.c.name == name)
    found: int | None = db.execute(query).scalar()
    return found


def lock(db: Connection, names: Sequence[str]) -> None:
    """Let nobody else who locks these repositories go on meanwhile."""
    query = select(registry_repository.c.id).where(registry_repository.c.name.in_(names))
    db.execute(query.order_by(registry_repository.c.name).with_for_update())


def visibility(db: Connection, name: str) -> str:
    """Who may pull from it beside those with a role: "private" where there is none of the name."""
    query = select(registry_repository.c.visibility).where(registry_repository.c.name == name)
    return db.execute(query).scalar() or "private"


def ensure_repository(db: Connection, name: str) -> int:
    """The id of a registry repository, made if need be.

    It belongs to the source repository whose slug is its name, or the longest beginning of it.
    """
    found = find_repository(db, name)
    if found is not None:
        return found
    parts = name.split("/")
    slugs = ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]
    query = (
        select(repository.c.id, repository.c.visibility)
        .where(func.lower(repository.c.slug).in_(slugs))
        .order_by(func.length(repository.c.slug).desc())
    )
    home = db.execute(query).first()
    values = {
        "name": name,
        "repository": home.id if home else None,
        "visibility": home.visibility if home else _visibility_of(parts),
        "created": clock.now(),
    }
    statement = dialect(db).insert(registry_repository).values(values)
    db.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    made = find_repository(db, name)
    if made is None:
        raise AssertionError("a repository that was just made is not there")
    return made


def _visibility_of(parts: list[str]) -> str:
    """Base images (`library/...`) are for everybody who is signed in, builds too."""
    return "internal" if parts[0] == "library" else "private"


def repositories(db: Connection, *, last: str = "", limit: int = 100) -> list[str]:
    """Names after `last`, in ASCII order."""
    name = ascii_order(db, registry_repository.c.name)
    query = select(registry_repository.c.name).where(name > last).order_by(name).limit(limit)
    return list(db.execute(query).scalars())


def is_stale(touched: int) -> bool:
    """Whether what was touched then is to be touched again: at most once a minute."""
    return clock.now() - touched > _TOUCH_AGAIN_MS


# ---- blobs --------------------------------------------------------------------------------------


def find_blob(db: Connection, name: str, digest: str) -> Blob | None:
    """A blob that a repository holds, or None. For pulls: nothing is touched."""
    query = _linked(name).where(blob.c.digest == digest)
    row = db.execute(query).first()
    return None if row is None else Blob(*row)


def touch_blob(db: Connection, name: str, digest: str) -> Blob | None:
    """`find_blob` for whoever goes on to need it: collection leaves it alone for a while."""
    touch_blobs(db, [digest])
    return find_blob(db, name, digest)


def add_blob(db: Connection, repo: int, what: Blob) -> Blob:
    """Record a blob that lies in the blob store and link it (`what.id` is not looked at).

    If its digest was there before, that one is linked and returned: the caller removes its own.
    """
    now = clock.now()
    values = {
        "digest": what.digest,
        "key": what.key,
        "size": what.size,
        "created": now,
        "touched": now,
    }
    statement = dialect(db).insert(blob).values(values)
    statement = statement.on_conflict_do_update(index_elements=["digest"], set_={"touched": now})
    row = db.execute(statement.returning(blob.c.id, blob.c.key, blob.c.size)).one()
    link(db, repo, row.id)
    return Blob(row.id, what.digest, row.key, row.size)


def replace_blob(db: Connection, digest: str, key: str) -> None:
    """Point a blob whose file was lost at another file."""
    db.execute(update(blob).where(blob.c.digest == digest).values(key=key))


def link(db: Connection, repo: int, blob_id: int) -> None:
    """Have a repository hold a blob."""
    values = {"registry_repository": repo, "blob": blob_id, "created": clock.now()}
    statement = dialect(db).insert(blob_link).values(values)
    unique = ["registry_repository", "blob"]
    db.execute(statement.on_conflict_do_nothing(index_elements=unique))


def mount(db: Connection, source: str, repo: int, digest: str) -> Blob | None:
    """Have a repository hold a blob that `source` holds, or None when that does not."""
    found = touch_blob(db, source, digest)
    if found is not None:
        link(db, repo, found.id)
    return found


def unlink(db: Connection, name: str, digest: str) -> bool:
    """A repository gives a blob up. Returns whether it held it."""
    repo = select(registry_repository.c.id).where(registry_repository.c.name == name)
    which = select(blob.c.id).where(blob.c.digest == digest)
    done = db.execute(
        delete(blob_link).where(
            blob_link.c.registry_repository == repo.scalar_subquery(),
            blob_link.c.blob == which.scalar_subquery(),
        )
    )
    return bool(done.rowcount)


# ---- uploads ------------------------------------------------------------------------------------


def start_upload(db: Connection, upload_id: str, repo: int) -> None:
    """Record an upload."""
    now = clock.now()
    db.execute(
        insert(upload).values(
            id=upload_id, registry_repository=repo, size=0, created=now, updated=now
        )
    )


def find_upload(db: Connection, upload_id: str, name: str) -> Upload | None:
    """An upload into a repository, or None."""
    query = (
        select(upload)
        .join(registry_repository, registry_repository.c.id == upload.c.registry_repository)
        .where(upload.c.id == upload_id, registry_repository.c.name == name)
    )
    row = db.execute(query).first()
    if row is None:
        return None
    return Upload(row.id, row.registry_repository, row.created, row.updated)


def advance_upload(db: Connection, upload_id: str, size: int) -> bool:
    """More of it arrived. Returns whether it still goes on."""
    values = {"size": size, "updated": clock.now()}
    return bool(db.execute(update(upload).where(upload.c.id == upload_id).values(values)).rowcount)


def finish_upload(db: Connection, repo: int, what: Blob, upload_id: str = "") -> Blob | None:
    """`add_blob` for an upload that ends with it, or None when that was cancelled meanwhile.

    Without `upload_id` there is no record of the upload.
    """
    if upload_id and not end_upload(db, upload_id):
        return None
    return add_blob(db, repo, what)


def end_upload(db: Connection, upload_id: str) -> bool:
    """It is finished or cancelled. Returns whether it went on until now."""
    return bool(db.execute(delete(upload).where(upload.c.id == upload_id)).rowcount)


# ---- parts --------------------------------------------------------------------------------------


def dialect(db: Connection) -> Any:
    return sqlite if db.dialect.name == "sqlite" else postgresql


def ascii_order(db: Connection, column: Any) -> Any:
    """A text column ordered by bytes: SQLite's way, and what paging needs everywhere."""
    return column if db.dialect.name == "sqlite" else collate(column, "C")


def _linked(name: str) -> Select[Any]:
    return (
        select(blob.c.id, blob.c.digest, blob.c.key, blob.c.size, blob.c.touched)
        .join(blob_link, blob_link.c.blob == blob.c.id)
        .join(registry_repository, registry_repository.c.id == blob_link.c.registry_repository)
        .where(registry_repository.c.name == name)
    )


def touch_blobs(db: Connection, digests: Sequence[str]) -> None:
    for part in batches(sorted(set(digests))):
        db.execute(update(blob).where(blob.c.digest.in_(part)).values(touched=clock.now()))


def held_blobs(db: Connection, repo: int, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in batches(sorted(set(digests))):
        query = (
            select(blob.c.digest, blob.c.size)
            .join(blob_link, blob_link.c.blob == blob.c.id)
            .where(blob_link.c.registry_repository == repo, blob.c.digest.in_(part))
        )
        found.update({row.digest: row.size for row in db.execute(query)})
    return found


def batches(of: Sequence[T]) -> list[Sequence[T]]:
    """In parts that a statement may carry as parameters."""
    return [of[at : at + _BATCH] for at in range(0, len(of), _BATCH)]
