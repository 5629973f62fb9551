"""Manifests of the registry, their tags, and who refers to whom.

See `store/registry.py` for the rule that keeps collection away from a push in flight.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from fairway.kit import clock
from fairway.store import registry
from fairway.store.schema import manifest, registry_repository, tag


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


def find(db: Connection, name: str, reference: str) -> Stored | None:
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


def holders(db: Connection, digest: str, *, limit: int = 100) -> list[str]:
    """The repositories of our registry that have a manifest of that digest, by name."""
    query = (
        select(registry_repository.c.name)
        .join(manifest, manifest.c.registry_repository == registry_repository.c.id)
        .where(manifest.c.digest == digest)
        .order_by(registry_repository.c.name)
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def touch(db: Connection, name: str, reference: str) -> Stored | None:
    """`find` for whoever goes on to need it."""
    found = find(db, name, reference)
    repo = registry.find_repository(db, name)
    if found is None or repo is None:
        return None
    _touch_manifests(db, repo, [found.digest])
    return find(db, name, reference)


def put(db: Connection, repo: int, what: NewManifest, tag_name: str = "") -> Missing | None:
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
    statement = registry.dialect(db).insert(manifest).values(values)
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
    repo = registry.find_repository(db, name)
    if repo is None:
        return False
    db.execute(delete(tag).where(tag.c.registry_repository == repo, tag.c.digest == digest))
    done = db.execute(
        delete(manifest).where(manifest.c.registry_repository == repo, manifest.c.digest == digest)
    )
    return bool(done.rowcount)


def delete_tag(db: Connection, name: str, tag_name: str) -> bool:
    """Remove a tag; its manifest stays until it is collected. Returns whether it was there."""
    repo = registry.find_repository(db, name)
    done = db.execute(delete(tag).where(tag.c.registry_repository == repo, tag.c.name == tag_name))
    return bool(done.rowcount)


def tags(db: Connection, repo: int, *, last: str = "", limit: int = 1000) -> list[str]:
    """Tags after `last`, in ASCII order."""
    name = registry.ascii_order(db, tag.c.name)
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
    columns = [manifest.c[name] for name in ("id", *Referrer.__struct_fields__)]
    query = (
        select(*columns)
        .where(manifest.c.registry_repository == repo, manifest.c.subject == subject)
        .where(manifest.c.id > last)
        .order_by(manifest.c.id)
        .limit(limit)
    )
    if artifact_type:
        query = query.where(manifest.c.artifact_type == artifact_type)
    return [(row[0], Referrer(*row[1:])) for row in db.execute(query)]


def _touch_manifests(db: Connection, repo: int, digests: Sequence[str]) -> None:
    for part in registry.batches(sorted(set(digests))):
        which = manifest.c.digest.in_(part) & (manifest.c.registry_repository == repo)
        db.execute(update(manifest).where(which).values(touched=clock.now()))


def _lacking(db: Connection, repo: int, what: NewManifest) -> Missing:
    wanted = [digest for digest, _ in what.needed]
    registry.touch_blobs(db, wanted)
    _touch_manifests(db, repo, what.manifests)
    sizes = registry.held_blobs(db, repo, wanted)
    held = _held_manifests(db, repo, what.manifests)
    gone = [digest for digest in wanted if digest not in sizes]
    gone += [digest for digest in what.manifests if digest not in held]
    wrong = [digest for digest, size in what.needed if sizes.get(digest, size) != size]
    return Missing(tuple(dict.fromkeys(gone)), tuple(dict.fromkeys(wrong)))


def _held_manifests(db: Connection, repo: int, digests: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in registry.batches(sorted(set(digests))):
        query = select(manifest.c.digest).where(
            manifest.c.registry_repository == repo, manifest.c.digest.in_(part)
        )
        found.update(db.execute(query).scalars())
    return found


def _set_tag(db: Connection, repo: int, name: str, digest: str) -> None:
    now = clock.now()
    values = {"registry_repository": repo, "name": name, "digest": digest, "updated": now}
    statement = registry.dialect(db).insert(tag).values(values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["registry_repository", "name"],
            set_={"digest": digest, "updated": now},
        )
    )
