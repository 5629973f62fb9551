"""Builds without pipelines: what a build leaves in registry and store, and whether it was whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from fairway.image.shelf import Shelf
from fairway.kit import clock
from fairway.model.events import BuildFinished, ImageBuilt
from fairway.model.status import Status
from fairway.oci import digest, manifest
from fairway.store import builds, manifests, outbox, registry, schema
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs
from fairway.testing.voyage.shop import AUTHOR

_MAIN: Final = "refs/heads/main"
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


class Run(Struct, frozen=True):
    """A build in the store, as far as its end needs."""

    id: int
    number: int
    step: int
    event: str
    ref: str
    sha: str


class Builder:
    """Builds commits of the services. Nothing of it dies with Fairway."""

    def __init__(self, database: Database, blobs: MemoryBlobs, numbers: dict[str, int]) -> None:
        """`numbers`: of the repositories, by their slug."""
        self._database = database
        self._shelf = Shelf(database, blobs)
        self._numbers = numbers
        self._count = 0
        self.made: dict[str, Built] = {}  # by digest
        self.tried: dict[str, bool] = {}  # digests of change requests, and whether they passed

    async def build(self, service: str, sha: str, *, good: bool, fault: str, where: str) -> Built:
        """Push an image of a commit of the default branch, and end its build."""
        made, put = await self._image(service, good=good, fault=fault, where=where)
        self.made[made.digest] = made

        def written(db: Connection) -> None:
            put(db)
            run = self._begun(db, f"acme/{service}", sha, _status(good))
            self._end(db, made, run, good=good)

        self._database.write_now(written)
        return made

    async def end(self, service: str, run: Run, *, good: bool) -> None:
        """Push an image in the build of a change request, and end that. It is no candidate."""
        made, put = await self._image(service, good=False, fault="", where="")
        self.made[made.digest] = made
        self.tried[made.digest] = good

        def end(db: Connection) -> None:
            put(db)
            self._end(db, made, run, good=good)
            of_build = schema.stage.c.build == run.id
            stages = select(schema.stage.c.id).where(of_build)
            done = {"status": _status(good)}
            db.execute(update(schema.step).where(schema.step.c.stage.in_(stages)).values(done))
            db.execute(update(schema.stage).where(of_build).values(done))
            ended = {**done, "finished": clock.now()}
            db.execute(update(schema.build).where(schema.build.c.id == run.id).values(ended))

        self._database.write_now(end)

    def pending(self) -> list[tuple[str, Run]]:
        """The builds that Fairway has asked for: of change requests. With their services."""
        return self._database.read_now(self._pending)

    def _pending(self, db: Connection) -> list[tuple[str, Run]]:
        slugs = {number: slug for slug, number in self._numbers.items()}
        wanted = schema.build.c.event == "pull_request", schema.build.c.finished.is_(None)
        found = []
        for row in db.execute(select(schema.build).where(*wanted).order_by(schema.build.c.id)):
            stages = select(schema.stage.c.id).where(schema.stage.c.build == row.id)
            steps = select(schema.step.c.id).where(schema.step.c.stage.in_(stages))
            step = int(db.execute(steps.order_by(schema.step.c.id.desc()).limit(1)).scalar_one())
            run = Run(row.id, row.number, step, row.event, row.ref, row.after)
            found.append((slugs[row.repository].partition("/")[2], run))
        return found

    async def _image(
        self, service: str, *, good: bool, fault: str, where: str
    ) -> tuple[Built, Callable[[Connection], None]]:
        """A new image, and what puts it into the registry."""
        self._count += 1
        repo = self._database.write_now(registry.ensure_repository, f"acme/{service}")
        told = {"architecture": "amd64", "seed": f"{service} {self._count}"}
        config = msgspec.json.encode(told)
        layer = await self._shelf._put(repo, config)  # noqa: SLF001 what a push would do over HTTP
        head = {"mediaType": _CONFIG, "digest": layer, "size": len(config)}
        body = msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": _MEDIA, "config": head, "layers": []}
        )
        made = Built(service, digest.of(body), good, fault, where)
        return made, partial(_put, repo=repo, body=body, of=made.digest)

    def _end(self, db: Connection, made: Built, run: Run, *, good: bool) -> None:
        slug = f"acme/{made.service}"
        about: dict[str, Any] = {
            "repository": self._numbers[slug], "slug": slug, "build": run.id, "number": run.number,
        }  # fmt: skip
        pushed = ImageBuilt(
            **about, step=run.step, name=slug, target="", repository_name=slug,
            digest=made.digest, revision=run.sha,
        )  # fmt: skip
        ended = BuildFinished(
            **about, status=_status(good), event=run.event, ref=run.ref, after=run.sha
        )
        outbox.append(db, pushed)
        outbox.append(db, ended)

    def _begun(self, db: Connection, slug: str, sha: str, status: Status) -> Run:
        now, repository = clock.now(), self._numbers[slug]
        number = builds.next_number(db, repository)
        build = _add(
            db, schema.build, repository=repository, number=number, event="push", status=status,
            ref=_MAIN, target="main", after=sha, author_login=AUTHOR, created=now, started=now,
            finished=now,
        )  # fmt: skip
        stage = _add(
            db, schema.stage, build=build, repository=repository, number=1, name="ci",
            status=status, created=now,
        )  # fmt: skip
        step = _add(db, schema.step, stage=stage, number=1, name="image", status=status)
        return Run(build, number, step, "push", _MAIN, sha)


def _status(good: bool) -> Status:  # noqa: FBT001 it is what it turns into a word
    return Status.PASSED if good else Status.FAILED


def _put(db: Connection, *, repo: int, body: bytes, of: str) -> None:
    read = manifest.read(body, _MEDIA)
    record = manifests.NewManifest(
        digest=of,
        media_type=_MEDIA,
        artifact_type="",
        subject=None,
        body=body,
        blobs=tuple(one.digest for one in read.blobs()),
        needed=tuple((one.digest, one.size) for one in read.needed()),
    )
    assert manifests.put(db, repo, record) is None, "the image's own config is missing"


def _add(db: Connection, table: Any, **values: Any) -> int:
    return int(db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())
