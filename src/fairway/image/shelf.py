"""Charts and images put into our own registry by Fairway itself: no HTTP, no rights asked.

Blobs are linked, never copied; a version of a chart is never overwritten.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from fairway.blob.blob import Blobs
from fairway.kit.aio import blocking
from fairway.model.errors import Conflict, NotFound
from fairway.oci import digest, manifest
from fairway.oci.manifest import Descriptor
from fairway.store import manifests, registry
from fairway.store.database import Database
from fairway.store.manifests import NewManifest
from fairway.store.registry import Blob

_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_EMPTY: Final = b"{}"  # OCI's config of an artifact that has none
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


class Shelf:
    """The registry from inside. All may be called again."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def digest(self, name: str, reference: str) -> str:
        """The digest behind a tag or digest of a repository; "" where it is not."""
        found = await self._database.read(manifests.find, name, reference)
        return found.digest if found else ""

    async def chart(self, name: str, version: str) -> bytes:
        """The archive of a chart. Raises `NotFound` (code `no-chart-version`)."""
        found = await self._database.read(manifests.find, name, tag(version))
        if found is None:
            raise NotFound(f"there is no {name}:{tag(version)}", code="no-chart-version")
        layer = (await blocking(manifest.read, found.body, found.media_type)).layers[0].digest
        blob = await self._database.read(registry.find_blob, name, layer)
        if blob is None:
            raise NotFound(f"{name}:{tag(version)} lacks its archive", code="no-chart-version")
        return b"".join([part async for part in self._blobs.read(blob.key)])

    async def put_chart(
        self, name: str, version: str, archive: bytes, config: Mapping[str, Any]
    ) -> str:
        """Push a chart's archive; its digest. The same again changes nothing.

        Raises `Conflict` (code `version-exists`) where another is there under that version.
        """
        repo = await self._database.write(registry.ensure_repository, name)
        head = msgspec.json.encode(config, order="sorted")
        layers = [await self._put(repo, head), await self._put(repo, archive)]
        body = msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _descriptor(_CONFIG, layers[0], head),
                "layers": [_descriptor(_CHART, layers[1], archive)],
            }
        )
        found = await blocking(manifest.read, body, _MANIFEST)
        record = _record(found, body)
        await self._database.write(_publish, repo, name, record=record, version=version)
        return record.digest

    async def put_artifact(
        self, name: str, media_type: str, data: bytes, *, subject: Descriptor
    ) -> str:
        """Put something about an image beside it (an OCI artifact, found by its referrers); its
        digest. The same again changes nothing. Raises `NotFound` (code `no-image`).
        """
        repo = await self._database.write(registry.ensure_repository, name)
        empty = await self._put(repo, _EMPTY)
        layer = await self._put(repo, data)
        body = msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "artifactType": media_type,
                "config": _descriptor(_EMPTY_TYPE, empty, _EMPTY),
                "layers": [_descriptor(media_type, layer, data)],
                "subject": {
                    "mediaType": subject.media_type,
                    "digest": subject.digest,
                    "size": subject.size,
                },
            }
        )
        found = await blocking(manifest.read, body, _MANIFEST)
        record = _record(found, body)
        await self._database.write(_put_beside, repo, record, name)
        return record.digest

    async def _put(self, repo: int, data: bytes) -> str:
        made = digest.of(data)
        key = f"blobs/sha256/{made[7:9]}/{made[7:]}.{secrets.token_hex(8)}"
        await self._blobs.put(key, _once(data))
        stored = await self._database.write(registry.add_blob, repo, Blob(0, made, key, len(data)))
        if stored.key != key:
            if await self._blobs.size(stored.key) == stored.size:
                await self._blobs.delete(key)
            else:  # its file was lost
                await self._database.write(registry.replace_blob, made, key)
        return made

    async def copy(self, source: str, reference: str, target: str, *, version: str = "") -> str:
        """Have `target` hold what `source` has under a digest or tag; returns its digest.

        With `version` it gets that tag, which must not name anything else (`version-exists`).
        Raises `NotFound` (code `no-image`).
        """
        repo = await self._database.write(registry.ensure_repository, target)
        return await self._database.write(
            _copy, source, reference, repo=repo, target=target, version=version
        )


def tag(version: str) -> str:
    """A version as a tag: `+` cannot stand in one."""
    return version.replace("+", "_")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _descriptor(media_type: str, made: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": made, "size": len(data)}


def _record(found: manifest.Manifest, body: bytes) -> NewManifest:
    return NewManifest(
        digest=digest.of(body),
        media_type=found.media_type,
        artifact_type=manifest.artifact_type(found),
        subject=found.subject.digest if found.subject else None,
        body=body,
        blobs=tuple(one.digest for one in found.blobs()),
        manifests=tuple(one.digest for one in found.manifests),
        needed=tuple((one.digest, one.size) for one in found.needed()),
        annotations=found.annotations,
    )


def _publish(db: Connection, repo: int, name: str, *, record: NewManifest, version: str) -> None:
    _check_free(db, name, version, record.digest)
    _put_whole(db, repo, record, name=name, version=version)


def _check_free(db: Connection, name: str, version: str, wanted: str) -> None:
    there = manifests.find(db, name, tag(version))
    if there is not None and there.digest != wanted:
        raise Conflict(
            f"{name}:{tag(version)} is there already, with another content",
            code="version-exists",
            remedy="a version is never overwritten: release the next one",
        )


def _put_beside(db: Connection, repo: int, record: NewManifest, name: str) -> None:
    _put_whole(db, repo, record, name=name, version="")


def _put_whole(db: Connection, repo: int, record: NewManifest, *, name: str, version: str) -> None:
    lack = manifests.put(db, repo, record, tag(version) if version else "")
    if lack is not None:
        raise NotFound(
            f"{name} lacks {', '.join((*lack.digests, *lack.sizes)[:3])}",
            code="no-image",
            remedy="push the image again: a part of it is gone",
        )


def _copy(
    db: Connection, source: str, reference: str, *, repo: int, target: str, version: str
) -> str:
    found = manifests.touch(db, source, reference)
    if found is None:
        raise NotFound(
            f"there is no {source}@{reference} in our registry",
            code="no-image",
            remedy="it was removed: build it again",
        )
    if version:
        _check_free(db, target, version, found.digest)
    read = manifest.read(found.body, found.media_type)
    for child in read.manifests:
        _copy(db, source, child.digest, repo=repo, target=target, version="")
    for part in read.blobs():
        registry.mount(db, source, repo, part.digest)
    _put_whole(db, repo, _record(read, found.body), name=target, version=version)
    return found.digest
