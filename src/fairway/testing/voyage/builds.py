"""Builds without pipelines: what a build leaves in registry and store, and whether it was whole."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert

from fairway.image.shelf import Shelf
from fairway.kit import clock
from fairway.model.events import BuildFinished, ImageBuilt
from fairway.model.status import Status
from fairway.oci import digest, manifest
from fairway.store import manifests, outbox, registry, schema
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs
from fairway.testing.voyage.shop import AUTHOR

_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_MEDIA: Final = "application/vnd.oci.image.manifest.v1+json"


class Built(Struct, frozen=True):
    """An image. `fault`: what becomes of its pods, and in which namespace ("": in every one); one
    that is `unfit` runs, and fails its verification.
    """

    service: str
    digest: str
    good: bool  # whether its whole build passed
    fault: str = ""
    where: str = ""


class Builder:
    """Builds commits of the services. Nothing of it dies with Fairway."""

    def __init__(self, database: Database, blobs: MemoryBlobs, numbers: dict[str, int]) -> None:
        """`numbers`: of the repositories, by their slug."""
        self._database = database
        self._shelf = Shelf(database, blobs)
        self._numbers = numbers
        self._count: dict[str, int] = {}
        self.made: dict[str, Built] = {}  # by digest

    async def build(self, service: str, sha: str, *, good: bool, fault: str, where: str) -> Built:
        """Push an image of a commit, and end its build."""
        number = self._count[service] = self._count.get(service, 0) + 1
        name = f"acme/{service}"
        repo = self._database.write_now(registry.ensure_repository, name)
        config = msgspec.json.encode({"architecture": "amd64", "seed": f"{service} {number}"})
        layer = await self._shelf._put(repo, config)  # noqa: SLF001 what a push would do over HTTP
        head = {"mediaType": _CONFIG, "digest": layer, "size": len(config)}
        body = msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": _MEDIA, "config": head, "layers": []}
        )
        made = Built(service, digest.of(body), good, fault, where)
        self.made[made.digest] = made
        self._database.write_now(self._written, repo, body, made, number=number, sha=sha)
        return made

    def _written(
        self, db: Connection, repo: int, body: bytes, made: Built, *, number: int, sha: str
    ) -> None:
        read = manifest.read(body, _MEDIA)
        record = manifests.NewManifest(
            digest=made.digest,
            media_type=_MEDIA,
            artifact_type="",
            subject=None,
            body=body,
            blobs=tuple(one.digest for one in read.blobs()),
            needed=tuple((one.digest, one.size) for one in read.needed()),
        )
        assert manifests.put(db, repo, record) is None, "the image's own config is missing"
        slug = f"acme/{made.service}"
        status = Status.PASSED if made.good else Status.FAILED
        build, step = self._rows(db, slug, number=number, sha=sha, status=status)
        about: dict[str, Any] = {
            "repository": self._numbers[slug], "slug": slug, "build": build, "number": number,
        }  # fmt: skip
        pushed = ImageBuilt(
            **about, step=step, name=slug, target="", repository_name=slug, digest=made.digest,
            revision=sha,
        )  # fmt: skip
        ended = BuildFinished(
            **about, status=status, event="push", ref="refs/heads/main", after=sha
        )
        outbox.append(db, pushed)
        outbox.append(db, ended)

    def _rows(
        self, db: Connection, slug: str, *, number: int, sha: str, status: Status
    ) -> tuple[int, int]:
        now, repository = clock.now(), self._numbers[slug]
        build = _add(
            db, schema.build, repository=repository, number=number, event="push", status=status,
            ref="refs/heads/main", target="main", after=sha, author_login=AUTHOR, created=now,
            started=now, finished=now,
        )  # fmt: skip
        stage = _add(
            db, schema.stage, build=build, repository=repository, number=1, name="ci",
            status=status, created=now,
        )  # fmt: skip
        return build, _add(db, schema.step, stage=stage, number=1, name="image", status=status)


def _add(db: Connection, table: Any, **values: Any) -> int:
    return int(db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())
