"""Garbage in the registry: what nothing names any more goes, after a while.

A manifest stays while a tag or an image record names it, while an index that stays lists it, while
it is the subject of one that stays or has such a subject, or while it is young. What only its youth
keeps goes eldest first, as far as all of it together is too much. A blob stays while a manifest of
a repository uses it. Whatever a push was told of within `grace_ms` stays in any case: the registry
touches it then (`store/registry.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
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
    """How long things stay that nothing names, in milliseconds, and how much of them."""

    untagged_ms: int = 7 * 24 * _HOUR  # 0 is for ever
    untagged_bytes: int = 0  # of config and layers that nothing else uses; 0 is any number
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
    before = await _cut(db, policy, now)
    manifests = 0
    for repo in await db.read(registry_gc.repositories):
        manifests += await db.write(_repository, repo, before, now - policy.grace_ms)
    removed = await db.write(registry_gc.remove_unlinked, now - policy.grace_ms)
    for one in removed:
        await blobs.delete(one.key)
    uploads = await _uploads(db, blobs, now - policy.upload_ms)
    await _lost_files(db, blobs, now - policy.grace_ms)
    size = sum(one.size for one in removed)
    return Collected(manifests, len(removed), size, uploads)


async def _cut(db: Database, policy: Policy, now: int) -> int:
    """What nothing names goes if it was last touched before this, by age or by size."""
    age = now - max(policy.untagged_ms, policy.grace_ms) if policy.untagged_ms else 0
    if not policy.untagged_bytes:
        return age
    held = await db.read(registry_gc.all_holdings)
    sizes = await db.read(registry_gc.sizes)
    return max(age, fitting(held, sizes, policy.untagged_bytes, now - policy.grace_ms))


def fitting(held: Sequence[Holdings], sizes: Mapping[str, int], limit: int, latest: int) -> int:
    """The earliest cut, at most `latest`, with which no more than `limit` bytes of blobs stay
    that serve nothing but manifests that nothing names; 0 where all of them may.
    """
    named = [_closure(one.nodes, one.roots) for one in held]
    needed = {
        digest
        for one, names in zip(held, named, strict=True)
        for node in one.nodes
        if node.digest in names
        for digest in node.blobs
    }
    loose = [
        Holdings([node for node in one.nodes if node.digest not in names], frozenset())
        for one, names in zip(held, named, strict=True)
    ]

    def fits(cut: int) -> bool:
        kept = {digest for one in loose for node in _kept(one, cut) for digest in node.blobs}
        return sum(sizes.get(digest, 0) for digest in kept - needed) <= limit

    touched = {node.touched + 1 for one in loose for node in one.nodes}
    cuts = [0, *sorted(cut for cut in touched if cut <= latest)]
    return cuts[min(bisect_left(cuts, 1, key=fits), len(cuts) - 1)]


def _kept(held: Holdings, cut: int) -> list[Node]:
    gone = {node.digest for node in doomed(held, cut)}
    return [node for node in held.nodes if node.digest not in gone]


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


def _repository(db: Connection, repo: int, before: int, grace: int) -> int:
    held = registry_gc.holdings(db, repo)
    gone = doomed(held, before)
    registry_gc.remove_manifests(db, [node.id for node in gone])
    left = {node.digest for node in held.nodes} - {node.digest for node in gone}
    used = {digest for node in held.nodes if node.digest in left for digest in node.blobs}
    registry_gc.unlink_unused(db, repo, frozenset(used), grace)
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
