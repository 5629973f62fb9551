"""What collection in the registry reads and removes. Owner: `image/collect.py`.

Everything here locks the rows that it judges (PostgreSQL; SQLite has one writer anyway), so a push
either touched them before, and they stay, or finds them gone and uploads again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, exists, select

from fairway.store.registry import batches
from fairway.store.schema import (
    blob,
    blob_link,
    image,
    manifest,
    registry_repository,
    tag,
    upload,
)


class Node(Struct, frozen=True):
    """A manifest and what it points at."""

    id: int
    digest: str
    touched: int
    subject: str | None
    blobs: list[str]
    manifests: list[str]


class Holdings(Struct, frozen=True):
    """What a repository holds. `roots` are the digests that tags and image records name."""

    nodes: list[Node]
    roots: frozenset[str]


class Removed(Struct, frozen=True):
    """A blob whose record is gone: its file is to go, too."""

    key: str
    size: int


def repositories(db: Connection) -> list[int]:
    """The ids of all registry repositories."""
    return list(db.execute(select(registry_repository.c.id)).scalars())


def holdings(db: Connection, repo: int, *, lock: bool = True) -> Holdings:
    """A repository's manifests, locked unless they are only looked at, and its roots."""
    columns = [manifest.c[name] for name in Node.__struct_fields__]
    query = select(*columns).where(manifest.c.registry_repository == repo)
    nodes = [Node(*row) for row in db.execute(query.with_for_update() if lock else query)]
    tagged = select(tag.c.digest).where(tag.c.registry_repository == repo)
    recorded = (
        select(image.c.digest)
        .join(registry_repository, registry_repository.c.name == image.c.repository_name)
        .where(registry_repository.c.id == repo, image.c.candidate != "no")
    )
    roots = {*db.execute(tagged).scalars(), *db.execute(recorded).scalars()}
    return Holdings(nodes, frozenset(roots))


def all_holdings(db: Connection) -> list[Holdings]:
    """What all repositories hold, to look at."""
    return [holdings(db, repo, lock=False) for repo in repositories(db)]


def sizes(db: Connection) -> dict[str, int]:
    """Every blob's size by its digest."""
    return {row.digest: row.size for row in db.execute(select(blob.c.digest, blob.c.size))}


def remove_manifests(db: Connection, ids: Sequence[int]) -> None:
    """Remove manifests that nothing names."""
    for part in batches(ids):
        db.execute(delete(manifest).where(manifest.c.id.in_(part)))


def unlink_unused(db: Connection, repo: int, used: frozenset[str], before: int) -> int:
    """A repository gives up blobs untouched since `before` that no manifest uses."""
    query = (
        select(blob_link.c.id, blob.c.digest)
        .join(blob, blob.c.id == blob_link.c.blob)
        .where(blob_link.c.registry_repository == repo, blob_link.c.created < before)
        .where(blob.c.touched < before)
        .with_for_update()
    )
    gone = [row.id for row in db.execute(query) if row.digest not in used]
    for part in batches(gone):
        db.execute(delete(blob_link).where(blob_link.c.id.in_(part)))
    return len(gone)


def remove_unlinked(db: Connection, before: int) -> list[Removed]:
    """Remove the records of blobs untouched since `before` that no repository holds."""
    linked = exists().where(blob_link.c.blob == blob.c.id)
    free = (blob.c.touched < before, ~linked)
    found = list(db.execute(select(blob.c.id).where(*free).with_for_update()).scalars())
    gone: list[Removed] = []
    for part in batches(found):  # one that was linked while we waited for its row is not removed
        query = delete(blob).where(blob.c.id.in_(part), *free).returning(blob.c.key, blob.c.size)
        gone += [Removed(row.key, row.size) for row in db.execute(query)]
    return gone


def unknown_keys(db: Connection, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that no blob has."""
    wanted = list(keys)
    known: set[str] = set()
    for part in batches(wanted):
        known.update(db.execute(select(blob.c.key).where(blob.c.key.in_(part))).scalars())
    return [key for key in wanted if key not in known]


def end_stale_uploads(db: Connection, before: int) -> list[str]:
    """Forget uploads that got nothing since `before`. Returns their ids."""
    found = list(db.execute(select(upload.c.id).where(upload.c.updated < before)).scalars())
    gone: list[str] = []
    for part in batches(found):
        query = delete(upload).where(upload.c.id.in_(part), upload.c.updated < before)
        gone += db.execute(query.returning(upload.c.id)).scalars()
    return gone


def unknown_uploads(db: Connection, ids: Iterable[str]) -> list[str]:
    """Those of `ids` that are no upload."""
    wanted = list(ids)
    known: set[str] = set()
    for part in batches(wanted):
        known.update(db.execute(select(upload.c.id).where(upload.c.id.in_(part))).scalars())
    return [one for one in wanted if one not in known]
