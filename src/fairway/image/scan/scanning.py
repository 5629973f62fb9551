"""Scans candidates, and answers what is known of a digest now.

What is in a digest never changes and is kept; what is known against it is looked up each time, so
that a report is as new as the imported advisories.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import msgspec
from sqlalchemy import Connection

from fairway.blob.blob import Blobs
from fairway.image.scan import cyclonedx, layers, osv
from fairway.image.scan.layers import Layer
from fairway.image.scan.package import Inventory, Package
from fairway.image.shelf import Shelf
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.events import CandidateMade, Event
from fairway.model.scan import Knowledge, Report
from fairway.oci import manifest
from fairway.store import manifests, registry, scans
from fairway.store.database import Database
from fairway.store.manifests import Stored

_DAY_MS: Final = 86_400_000
_DEEPEST: Final = 2


class Scanning:
    """The story's handler `image.scan`, and the reports."""

    def __init__(self, database: Database, blobs: Blobs, *, old_days: float) -> None:
        """`old_days`: advisories older than this say nothing any more."""
        self._database, self._blobs, self._old_days = database, blobs, old_days

    async def scan_candidate(self, event: Event, _key: str) -> None:
        """A candidate's bill of materials. May be called again."""
        if isinstance(event, CandidateMade):
            await self.scan(event.repository_name, event.digest)

    async def scan(self, name: str, digest: str) -> None:
        """Read what is in `name@digest`, keep it, and put the CycloneDX document beside the image.

        Raises `NotFound` where it is gone, `Unavailable` when blobs cannot be read.
        """
        if await self._database.read(scans.bill_of, digest) is not None:
            return
        top = await self._found(name, digest)
        read = await self._read(name, await self._image(name, top))
        document = cyclonedx.document(name, digest, read)
        subject = manifest.Descriptor(top.media_type, top.digest, len(top.body))
        artifact = await Shelf(self._database, self._blobs).put_artifact(
            name, cyclonedx.MEDIA_TYPE, document, subject=subject
        )
        values = {
            "image": name,
            "packages": msgspec.to_builtins(read.packages),
            "release": read.release,
            "problems": list(read.problems),
            "artifact": artifact,
        }
        await self._database.write(scans.keep_bill, digest, values)

    async def report(self, digest: str) -> Report:
        """What is known of a digest now. Raises `NotFound` (code `not-scanned`)."""
        return await self._database.read(report, digest, int(self._old_days * _DAY_MS))

    async def document(self, digest: str) -> bytes:
        """A digest's CycloneDX document. Raises as `report`."""
        row = await self._database.read(_bill, digest)
        return cyclonedx.document(row["image"], digest, _inventory(row))

    async def _found(self, name: str, digest: str) -> Stored:
        found = await self._database.read(manifests.find, name, digest)
        if found is None:
            raise NotFound(
                f"there is no {name}@{digest} in our registry",
                code="no-image",
                remedy="it was removed: build it again",
            )
        return found

    async def _image(self, name: str, found: Stored) -> Stored:
        """The image itself; of an index its first one."""
        for _ in range(_DEEPEST):
            read = await blocking(manifest.read, found.body, found.media_type)
            if not read.manifests:
                return found
            found = await self._found(name, read.manifests[0].digest)
        raise InvalidInput(f"{name}@{found.digest} is an index of indexes", code="deep-index")

    async def _read(self, name: str, found: Stored) -> Inventory:
        image = await blocking(manifest.read, found.body, found.media_type)
        with contextlib.ExitStack() as stack:
            opened = []
            for layer in image.layers:
                file = stack.enter_context(await self._open(name, layer.digest))
                opened.append(Layer(layer.digest, file))
            return await blocking(layers.inventory, opened)

    async def _open(self, name: str, digest: str) -> BinaryIO:
        """A layer's bytes as a file: that of the folder, or a copy where blobs lie elsewhere."""
        blob = await self._database.read(registry.find_blob, name, digest)
        if blob is None:
            raise NotFound(f"{name} lacks the layer {digest}", code="no-image")
        path = self._blobs.path(blob.key)
        if path is not None:
            return await blocking(path.open, "rb")
        copy: Any = await blocking(tempfile.TemporaryFile)
        async for part in self._blobs.read(blob.key):
            await blocking(copy.write, part)
        await blocking(copy.seek, 0)
        return copy  # type: ignore[no-any-return]  # a binary file


def report(db: Connection, digest: str, old_ms: int) -> Report:
    """`Scanning.report` within a transaction."""
    row = _bill(db, digest)
    found = _inventory(row)
    pairs = [osv.named(one, found.release) for one in found.packages]
    hits, unread = osv.matched(found, scans.known(db, pairs))
    gaps = (*found.problems, *_gaps(found, scans.imports(db), clock.now() - old_ms), *unread)
    known = Knowledge.UNKNOWN if gaps else Knowledge.NONE_KNOWN
    return Report(
        digest=digest,
        image=row["image"],
        packages=len(found.packages),
        knowledge=Knowledge.FOUND if hits else known,
        vulnerabilities=tuple(hits),
        gaps=gaps,
        artifact=row["artifact"],
        created=row["created"],
    )


def _gaps(found: Inventory, imported: dict[str, tuple[int, int]], since: int) -> Sequence[str]:
    if not found.packages:
        return ["no package was found: what is in it is not known"]
    gaps = []
    for name in layers.ecosystems(found):
        at = imported.get(name)
        if at is None:
            gaps.append(f"no advisories for {name} were imported")
        elif at[0] < since:
            gaps.append(f"the advisories for {name} are of {clock.text(at[0])}: too old")
    return gaps


def _bill(db: Connection, digest: str) -> Any:
    row = scans.bill_of(db, digest)
    if row is None:
        raise NotFound(
            f"{digest} has not been scanned",
            code="not-scanned",
            remedy="candidates are scanned by themselves; `fairway scan IMAGE` scans another",
        )
    return row


def _inventory(row: Any) -> Inventory:
    return Inventory(
        packages=msgspec.convert(row["packages"], tuple[Package, ...]),
        release=row["release"],
        problems=tuple(row["problems"]),
    )


def take_advisories(db: Connection, records: Sequence[object]) -> int:
    """Write a part of an import. Returns how many advisories it held. Raises `InvalidInput`."""
    found = [one for record in records for one in osv.read(record)]
    gone = [
        str(record["id"])
        for record in records
        if isinstance(record, dict) and record.get("withdrawn") and "id" in record
    ]
    scans.forget_advisories(db, gone)
    scans.put_advisories(db, found)
    return len(found)


def end_import(db: Connection, ecosystems: dict[str, int]) -> None:
    """These ecosystems' records were imported as a whole. Raises `InvalidInput`."""
    for name, count in ecosystems.items():
        if name.partition(":")[0] not in osv.KNOWN:
            raise InvalidInput(
                f"{name[:60]!r} is no ecosystem that is scanned",
                code="bad-ecosystem",
                remedy="one of: " + ", ".join(osv.KNOWN),
            )
        scans.note_import(db, name, count)
