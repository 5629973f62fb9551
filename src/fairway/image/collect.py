"""Garbage in the registry: what nothing names any more goes, after a while.

A manifest stays while a tag or an image record names it, while an index that stays lists it, while
it is the subject of one that stays or has such a subject, or while it is young. A blob stays while
a manifest of a repository uses it. Whatever a push was told of within `grace_ms` stays in any
case: the registry touches it then (`store/registry.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.blob.blob import Blobs
from fairway.kit import clock
from fairway.store import registry_gc
from fairway.store.database import Database
from fairway.store.registry_gc import Holdings, Node

_HOUR: Final = 3600 * 1000


class Policy(Struct, frozen=True):
    """How long things stay that nothing names, in milliseconds."""

    untagged_ms: int = 7 * 24 * _HOUR
    grace_ms: int = 24 * _HOUR  # the longest that a push may take
    upload_ms: int = 24 * _HOUR


class Collected(Struct, frozen=True):
    """What one run removed."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0
    uploads: int = 0


async def collect(db: Database, blobs: Blobs, policy: Policy | None = None) -> Collected:
    """Remove what has become garbage. Safe beside pushes, beside itself, and to repeat.

    Raises Unavailable; what was removed until then stays removed.
    """
    policy = policy or Policy()
    now = clock.now()
    manifests = 0
    for repo in await db.read(registry_gc.repositories):
        manifests += await db.write(_repository, repo, policy, now)
    removed = await db.write(registry_gc.remove_unlinked, now - policy.grace_ms)
    for one in removed:
        await blobs.delete(one.key)
    uploads = await _uploads(db, blobs, now - policy.upload_ms)
    await _lost_files(db, blobs, now - policy.grace_ms)
    size = sum(one.size for one in removed)
    return Collected(manifests, len(removed), size, uploads)


def doomed(held: Holdings, before: int) -> list[Node]:
    """The manifests that nothing keeps and that were not touched since `before`."""
    young = {node.digest for node in held.nodes if node.touched >= before}
    kept = _closure(held.nodes, held.roots | young)
    return [node for node in held.nodes if node.digest not in kept]


def _closure(nodes: Sequence[Node], roots: Iterable[str]) -> set[str]:
    """Everything that hangs together with the roots: children, subjects, referrers."""
    near: dict[str, set[str]] = {node.digest: set(node.manifests) for node in nodes}
    for node in nodes:
        if node.subject is not None:
            near[node.digest].add(node.subject)
            near.setdefault(node.subject, set()).add(node.digest)
    kept: set[str] = set()
    open_ = list(roots)
    while open_:
        one = open_.pop()
        if one not in kept:
            kept.add(one)
            open_.extend(near.get(one, ()))
    return kept


def _repository(db: Connection, repo: int, policy: Policy, now: int) -> int:
    held = registry_gc.holdings(db, repo)
    gone = doomed(held, now - max(policy.untagged_ms, policy.grace_ms))
    registry_gc.remove_manifests(db, [node.id for node in gone])
    left = {node.digest for node in held.nodes} - {node.digest for node in gone}
    used = {digest for node in held.nodes if node.digest in left for digest in node.blobs}
    registry_gc.unlink_unused(db, repo, frozenset(used), now - policy.grace_ms)
    return len(gone)


async def _uploads(db: Database, blobs: Blobs, before: int) -> int:
    """Uploads that nobody goes on with: records without news, and files without a record."""
    ended = await db.write(registry_gc.end_stale_uploads, before)
    for upload_id in ended:
        await blobs.delete(f"uploads/{upload_id}")
    old = [item.key for item in await blobs.list("uploads/") if item.modified < before]
    ids = [key.removeprefix("uploads/") for key in old]
    for upload_id in await db.read(registry_gc.unknown_uploads, ids):
        await blobs.delete(f"uploads/{upload_id}")
    return len(ended)


async def _lost_files(db: Database, blobs: Blobs, before: int) -> None:
    """Files whose record was never written, or is gone: a crash lay in between."""
    old = [item.key for item in await blobs.list("blobs/") if item.modified < before]
    for key in await db.read(registry_gc.unknown_keys, old):
        await blobs.delete(key)
