"""The registry's records: repositories, blobs and their links, manifests, tags, uploads.

A digest is never trusted to stay: whoever is told that something is there has touched it in the
same transaction, and collection (`store/registry_gc.py`) leaves alone what was touched lately.
That, and `touch before you look`, makes both databases' isolation enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Select, collate, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fairway.kit import clock
from fairway.store.schema import (
    blob,
    blob_link,
    manifest,
    registry_repository,
    repository,
    tag,
    upload,
)

_TOUCH_AGAIN_MS: Final = 60_000
_BATCH: Final = 500


class Blob(Struct, frozen=True):
    """A blob that a repository holds. `key` is its place in the blob store."""

    id: int
    digest: str
    key: str
    size: int
    touched: int = 0


class Stored(Struct, frozen=True):
    """A manifest as it was pushed."""

    digest: str
    media_type: str
    body: bytes
    touched: int


class NewManifest(Struct, frozen=True):
    """A manifest to store, with what it points at. `needed` must be there, by digest and size."""

    digest: str
    media_type: str
    artifact_type: str
    subject: str | None
    body: bytes
    blobs: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    needed: tuple[tuple[str, int], ...] = ()
    annotations: dict[str, str] = {}


class Missing(Struct, frozen=True):
    """Why a manifest was not stored: what it points at and is not here, or has another size."""

    digests: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()


class Referrer(Struct, frozen=True):
    """A manifest that has a subject."""

    digest: str
    media_type: str
    artifact_type: str
    size: int
    annotations: dict[str, str]


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
        "visibility": home.visibility if home else "private",
        "created": clock.now(),
    }
    statement = _dialect(db).insert(registry_repository).values(values)
    db.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    made = find_repository(db, name)
    if made is None:
        raise AssertionError("a repository that was just made is not there")
    return made


def repositories(db: Connection, *, last: str = "", limit: int = 100) -> list[str]:
    """Names after `last`, in ASCII order."""
    name = _ascii(db, registry_repository.c.name)
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
    _touch_blobs(db, [digest])
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
    statement = _dialect(db).insert(blob).values(values)
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
    statement = _dialect(db).insert(blob_link).values(values)
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


# ---- manifests ----------------------------------------------------------------------------------


def find_manifest(db: Connection, name: str, reference: str) -> Stored | None:
    """A manifest by digest or tag, or None."""
    query = (
        select(manifest.c.digest, manifest.c.media_type, manifest.c.body, manifest.c.touched)
        .join(registry_repository, registry_repository.c.id == manifest.c.registry_repository)
        .where(registry_repository.c.name == name)
    )
    if ":" in reference:
        query = query.where(manifest.c.digest == reference)
    else:
        same = tag.c.registry_repository == manifest.c.registry_repository
        query = query.join(tag, (tag.c.digest == manifest.c.digest) & same)
        query = query.where(tag.c.name == reference)
    row = db.execute(query).first()
    return None if row is None else Stored(row.digest, row.media_type, bytes(row.body), row.touched)


def touch_manifest(db: Connection, name: str, reference: str) -> Stored | None:
    """`find_manifest` for whoever goes on to need it."""
    found = find_manifest(db, name, reference)
    repo = find_repository(db, name)
    if found is None or repo is None:
        return None
    _touch_manifests(db, repo, [found.digest])
    return find_manifest(db, name, reference)


def put_manifest(
    db: Connection, repo: int, what: NewManifest, tag_name: str = ""
) -> Missing | None:
    """Store a manifest, and point a tag at it. Returns what it lacks, and stores nothing then."""
    lack = _lacking(db, repo, what)
    if lack.digests or lack.sizes:
        return lack
    now = clock.now()
    values = {
        "registry_repository": repo,
        "digest": what.digest,
        "media_type": what.media_type,
        "artifact_type": what.artifact_type,
        "subject": what.subject,
        "size": len(what.body),
        "body": what.body,
        "blobs": list(what.blobs),
        "manifests": list(what.manifests),
        "annotations": what.annotations,
        "created": now,
        "touched": now,
    }
    statement = _dialect(db).insert(manifest).values(values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["registry_repository", "digest"], set_={"touched": now}
        )
    )
    if tag_name:
        _set_tag(db, repo, tag_name, what.digest)
    return None


def delete_manifest(db: Connection, name: str, digest: str) -> bool:
    """Remove a manifest and the tags that point at it. Returns whether it was there."""
    repo = find_repository(db, name)
    if repo is None:
        return False
    db.execute(delete(tag).where(tag.c.registry_repository == repo, tag.c.digest == digest))
    done = db.execute(
        delete(manifest).where(manifest.c.registry_repository == repo, manifest.c.digest == digest)
    )
    return bool(done.rowcount)


def delete_tag(db: Connection, name: str, tag_name: str) -> bool:
    """Remove a tag; its manifest stays until it is collected. Returns whether it was there."""
    repo = find_repository(db, name)
    done = db.execute(delete(tag).where(tag.c.registry_repository == repo, tag.c.name == tag_name))
    return bool(done.rowcount)


def tags(db: Connection, repo: int, *, last: str = "", limit: int = 1000) -> list[str]:
    """Tags after `last`, in ASCII order."""
    name = _ascii(db, tag.c.name)
    query = (
        select(tag.c.name)
        .where(tag.c.registry_repository == repo, name > last)
        .order_by(name)
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def referrers(
    db: Connection, repo: int, subject: str, *, artifact_type: str = "", last: int = 0, limit: int
) -> list[tuple[int, Referrer]]:
    """Manifests of a subject as (cursor, manifest), after the cursor `last`."""
    query = (
        select(manifest)
        .where(manifest.c.registry_repository == repo, manifest.c.subject == subject)
        .where(manifest.c.id > last)
        .order_by(manifest.c.id)
        .limit(limit)
    )
    if artifact_type:
        query = query.where(manifest.c.artifact_type == artifact_type)
    return [
        (
            row.id,
            Referrer(row.digest, row.media_type, row.artifact_type, row.size, row.annotations),
        )
        for row in db.execute(query)
    ]


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


def _dialect(db: Connection) -> Any:
    return sqlite if db.dialect.name == "sqlite" else postgresql


def _ascii(db: Connection, column: Any) -> Any:
    """A text column ordered by bytes: SQLite's way, and what paging needs everywhere."""
    return column if db.dialect.name == "sqlite" else collate(column, "C")


def _linked(name: str) -> Select[Any]:
    return (
        select(blob.c.id, blob.c.digest, blob.c.key, blob.c.size, blob.c.touched)
        .join(blob_link, blob_link.c.blob == blob.c.id)
        .join(registry_repository, registry_repository.c.id == blob_link.c.registry_repository)
        .where(registry_repository.c.name == name)
    )


def _touch_blobs(db: Connection, digests: Sequence[str]) -> None:
    for part in _batches(sorted(set(digests))):
        db.execute(update(blob).where(blob.c.digest.in_(part)).values(touched=clock.now()))


def _touch_manifests(db: Connection, repo: int, digests: Sequence[str]) -> None:
    for part in _batches(sorted(set(digests))):
        which = manifest.c.digest.in_(part) & (manifest.c.registry_repository == repo)
        db.execute(update(manifest).where(which).values(touched=clock.now()))


def _lacking(db: Connection, repo: int, what: NewManifest) -> Missing:
    wanted = [digest for digest, _ in what.needed]
    _touch_blobs(db, wanted)
    _touch_manifests(db, repo, what.manifests)
    sizes = _held_blobs(db, repo, wanted)
    held = _held_manifests(db, repo, what.manifests)
    gone = [digest for digest in wanted if digest not in sizes]
    gone += [digest for digest in what.manifests if digest not in held]
    wrong = [digest for digest, size in what.needed if sizes.get(digest, size) != size]
    return Missing(tuple(dict.fromkeys(gone)), tuple(dict.fromkeys(wrong)))


def _held_blobs(db: Connection, repo: int, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _batches(sorted(set(digests))):
        query = (
            select(blob.c.digest, blob.c.size)
            .join(blob_link, blob_link.c.blob == blob.c.id)
            .where(blob_link.c.registry_repository == repo, blob.c.digest.in_(part))
        )
        found.update({row.digest: row.size for row in db.execute(query)})
    return found


def _held_manifests(db: Connection, repo: int, digests: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in _batches(sorted(set(digests))):
        query = select(manifest.c.digest).where(
            manifest.c.registry_repository == repo, manifest.c.digest.in_(part)
        )
        found.update(db.execute(query).scalars())
    return found


def _set_tag(db: Connection, repo: int, name: str, digest: str) -> None:
    now = clock.now()
    values = {"registry_repository": repo, "name": name, "digest": digest, "updated": now}
    statement = _dialect(db).insert(tag).values(values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["registry_repository", "name"],
            set_={"digest": digest, "updated": now},
        )
    )


def _batches(digests: Sequence[str]) -> list[Sequence[str]]:
    return [digests[at : at + _BATCH] for at in range(0, len(digests), _BATCH)]
