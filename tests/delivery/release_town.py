"""A town for releases: real Git, registry, toolbox and Kubernetes API."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from release_chart import CHART
from sqlalchemy import Connection, insert

from fairway.access.identity import Identity
from fairway.access.tokens import Tokens
from fairway.blob.folder import Folder
from fairway.boot.release import RepositoryCode, TeamMembers
from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.git.writing import Author, Writes
from fairway.gitops.kinds import APPLICATION_CRD
from fairway.image.shelf import Shelf
from fairway.kit import clock
from fairway.kit.aio import Wake, background
from fairway.kube import Kube, crd
from fairway.kube.kind import DEPLOYMENT, NAMESPACE
from fairway.model.image import CANDIDATE_TAG
from fairway.model.release import Promotion, Release, Verdict
from fairway.model.token import TokenScope
from fairway.native.toolbox import Toolbox
from fairway.oci import digest, manifest
from fairway.queue.shards import Shards
from fairway.release import arrival, commands
from fairway.release.asking import Asked
from fairway.release.controller import ReleaseController
from fairway.release.crd import CRD, DELIVERY
from fairway.release.ports import Deps
from fairway.source.announce import Announcer
from fairway.source.writing import Writer
from fairway.store import (
    images,
    manifests,
    organisations,
    promotions,
    registry,
    releases,
    repositories,
    schema,
    users,
)
from fairway.store.database import Database
from fairway.testing.fleet import StaticFleet
from fairway.testing.waiting import eventually

REGISTRY = "registry.test:5000"
WAIT_S = 240.0  # a loaded machine is slow


class NoPipelines:
    """No pipeline verifies anything here."""

    async def start(self, *_given: Any, **_named: Any) -> str:
        raise AssertionError

    async def verdict(self, _reference: str) -> tuple[str, str]:
        raise AssertionError


class Town:
    """Everything of one test."""

    def __init__(self, database: Database, kube: Kube, toolbox: Toolbox, root: Path) -> None:
        self.database, self.kube, self.toolbox = database, kube, toolbox
        self.hub = f"hub-{secrets.token_hex(3)}"
        self.fleet = StaticFleet(local=kube)
        self.holder = f"test-{secrets.token_hex(3)}"
        self.folders = Folders(root / "git")
        self.folders.prepare()
        self.reads = Reads(self.folders)
        announcer = Announcer(database, self.folders, Wake())
        self.writer = Writer(database, Writes(self.folders), self.folders, announcer)
        self.code = RepositoryCode(database, self.reads, self.writer)
        self.blobs = Folder(root / "blobs")
        self.shelf = Shelf(database, self.blobs)
        self.tokens = Tokens(database)
        self.deps = Deps(
            database=database,
            fleet=self.fleet,
            code=self.code,
            shelf=self.shelf,
            toolbox=toolbox,
            teams=TeamMembers(database),
            pipelines=NoPipelines(),
            registry=REGISTRY,
            hub_namespace=self.hub,
            install_s=120,
        )
        self.namespaces = {
            name: f"{name}-{secrets.token_hex(3)}" for name in ("dev", "staging", "production")
        }
        self.ids: dict[str, int] = {}
        self.builds = 0
        self.workloads = [DEPLOYMENT]

    # ---- life ------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Repositories, users, namespaces with their secrets, and what Git says at first."""
        self.database.write_now(self._fill)
        await crd.ensure(self.kube, [APPLICATION_CRD])
        await self.kube.create(NAMESPACE, {"metadata": {"name": self.hub}})
        for name, namespace in self.namespaces.items():
            await self.kube.create(NAMESPACE, {"metadata": {"name": namespace}})
            await self.secret(name, password=name)
        await self.commit("acme/catalogue", {f"chart/{k}": v for k, v in CHART.items()}, "feat: go")
        await self.commit(
            "acme/environments",
            {f"{name}/catalogue.yaml": self.application(name) for name in self.namespaces},
            "Say what runs where",
        )

    def _fill(self, db: Connection) -> None:
        for login in ("ada", "bob"):
            made = users.create(db, login, email=f"{login}@example.org", admin=True)
            self.ids[login] = made.id
        home = organisations.create(db, "acme").id
        for slug in ("acme/catalogue", "acme/environments"):
            self.ids[slug] = repositories.create(db, organisation=home, slug=slug, values={}).id

    async def secret(self, environment: str, **values: str) -> None:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
        kind = await self.kube.kinds.kind_of({"apiVersion": "v1", "kind": "Secret"})
        body = {
            "metadata": {"name": "catalogue", "namespace": self.namespaces[environment]},
            "data": data,
        }
        await self.kube.apply(kind, body, force=True)

    def application(self, environment: str) -> str:
        follows = environment == "dev"
        return yaml.safe_dump(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {"name": f"catalogue-{environment}"},
                "spec": {
                    "project": "default",
                    "source": {
                        "repoURL": f"{REGISTRY}/{environment}/charts",
                        "chart": "catalogue",
                        "targetRevision": ">=0.0.0-0" if follows else "0.0.0",
                        "helm": {
                            "valuesObject": {
                                "image": {"repository": f"{REGISTRY}/{environment}/acme/catalogue"}
                            }
                        },
                    },
                    "destination": {
                        "name": "in-cluster",
                        "namespace": self.namespaces[environment],
                    },
                    "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
                },
            }
        )

    async def deliver(self, **more: Mapping[str, Any]) -> None:
        """Apply the Delivery; `more` fields by environment."""
        environments: list[dict[str, Any]] = []
        for name in self.namespaces:
            one: dict[str, Any] = {
                "name": name,
                "configuration": {"repository": "acme/environments", "path": name},
            }
            if name == "dev":
                one["follows"] = ">=0.0.0-0"
            environments.append({**one, **more.get(name, {})})
        service = {"name": "catalogue", "repository": "acme/catalogue"}
        body = {
            "metadata": {"name": "shop", "namespace": self.hub},
            "spec": {"services": [service], "environments": environments},
        }
        await crd.ensure(self.kube, [CRD])
        await self.kube.apply(DELIVERY, body, force=True)

    @asynccontextmanager
    async def running(self, *others: Coroutine[Any, Any, None]) -> AsyncIterator[ReleaseController]:
        """The controller runs for the block, with what deploys beside it."""
        controller = ReleaseController(self.deps, Shards(self.database, "release", self.holder))
        async with background(controller.run(), *others):
            yield controller

    async def end(self) -> None:
        for name in (self.hub, *self.namespaces.values()):
            await self.kube.delete(NAMESPACE, name)

    # ---- what people and builds do ---------------------------------------------------------------

    async def who(self, login: str) -> Identity:
        made = await self.tokens.mint(
            self.ids[login], name="test", scopes=[TokenScope.ADMIN], actor="test"
        )
        return await self.tokens.verify(made.value)

    async def says(self, login: str, what: Asked, *, verdict: Verdict = Verdict.YES) -> Promotion:
        """A person's approval, or no."""
        who = await self.who(login)
        return await self.database.write(commands.say, who, what, kind="approval", verdict=verdict)

    async def commit(
        self, slug: str, files: Mapping[str, str], message: str, *, by: str = "ada"
    ) -> str:
        author = Author(name=by.title(), email=f"{by}@example.org")
        changes = {name: text.encode() for name, text in files.items()}
        return await self.writer.commit(
            self.ids[slug], "main", changes, message=message, author=author
        )

    async def text(self, slug: str, path: str) -> str:
        place = await self.code.find(slug)
        head = await self.code.head(place, "main")
        (data,) = (await self.code.files(place, head, path)).values()
        return data.decode()

    async def subjects(self, slug: str) -> list[str]:
        place = await self.code.find(slug)
        head = await self.code.head(place, "main")
        found = await self.code.history(place, head, until="", limit=50)
        return [one.message.partition("\n")[0] for one in found]

    async def image(self) -> str:
        """An image in our registry; its digest."""
        repo = await self.database.write(registry.ensure_repository, "acme/catalogue")
        config = msgspec.json.encode({"architecture": "amd64", "seed": secrets.token_hex(8)})
        made = await self.shelf._put(repo, config)
        media = "application/vnd.oci.image.manifest.v1+json"
        head = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": made,
                "size": len(config)}  # fmt: skip
        body = msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": media, "config": head, "layers": []}
        )
        read = manifest.read(body, media)
        record = manifests.NewManifest(
            digest=digest.of(body),
            media_type=media,
            artifact_type="",
            subject=None,
            body=body,
            blobs=tuple(one.digest for one in read.blobs()),
            needed=tuple((one.digest, one.size) for one in read.needed()),
        )
        assert await self.database.write(manifests.put, repo, record, "") is None
        return record.digest

    async def candidate(self, *, good: bool = True, reason: str = "") -> str:
        """A build of the head of `main` that pushed an image; its digest."""
        place = await self.code.find("acme/catalogue")
        head = await self.code.head(place, "main")
        made = await self.image()
        self.builds += 1
        await self.database.write(self._built, head, made, good=good, reason=reason)
        return made

    def _built(self, db: Connection, head: str, made: str, *, good: bool, reason: str) -> None:
        now = clock.now()
        status = "passed" if good else "failed"
        build = db.execute(
            insert(schema.build)
            .values(
                repository=self.ids["acme/catalogue"], number=self.builds, event="push",
                status=status, ref="refs/heads/main", target="main", after=head, created=now,
                author_login="ada",
            )
            .returning(schema.build.c.id)
        ).scalar_one()  # fmt: skip
        about = {"build": build, "repository": self.ids["acme/catalogue"], "created": now}
        stage = db.execute(
            insert(schema.stage)
            .values(**about, number=1, name="ci", status=status)
            .returning(schema.stage.c.id)
        ).scalar_one()
        step = db.execute(
            insert(schema.step)
            .values(stage=stage, number=1, name="image", status=status)
            .returning(schema.step.c.id)
        ).scalar_one()
        values = {
            "repository_name": "acme/catalogue", "digest": made, "name": "acme/catalogue",
            "build": build, "step": step, "revision": head, "created": now, "judged": now,
            "candidate": "yes" if good else "no", "reason": reason,
        }  # fmt: skip
        db.execute(insert(schema.image).values(values))
        if good:
            images.point(db, "acme/catalogue", CANDIDATE_TAG, made)

    # ---- what is asked ---------------------------------------------------------------------------

    async def releases(self) -> list[Release]:
        return await self.database.read(releases.of_service, "shop", "catalogue")

    async def lane(self, environment: str) -> list[Promotion]:
        return await self.database.read(promotions.lane, "shop", environment, "catalogue")

    async def runs(self, environment: str) -> str:
        """The image that the environment runs."""
        for kind in self.workloads:
            found = await self.kube.find(kind, "catalogue", self.namespaces[environment])
            if found is not None:
                return next(arrival.images(found), "")
        return ""

    async def until_release(self, state: str = "published", *, count: int = 1) -> Release:
        async def ask() -> Release | None:
            found = await self.releases()
            return found[0] if len(found) >= count and found[0].state == state else None

        return await eventually(f"a release is {state}", ask, seconds=WAIT_S)

    async def until(self, environment: str, state: str, *, version: str = "") -> Promotion:
        """The newest promotion there is in this state."""

        async def ask() -> Promotion | None:
            known = {one.id: one.version for one in await self.releases()}
            lane = await self.lane(environment)
            if lane and lane[0].state == state and version in ("", known[lane[0].release]):
                return lane[0]
            return None

        try:
            return await eventually(f"{environment} has {state} {version}", ask, seconds=WAIT_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {await self.told()}") from None

    async def told(self) -> str:
        """Everything, in short."""
        lines = [f"{one.version} {one.state} {one.problem}" for one in await self.releases()]
        for name in self.namespaces:
            lines += [
                f"{name} {one.release} {one.kind} {one.state} {one.step} {one.message} {one.bad}"
                for one in await self.lane(name)
            ]
        return "\n".join(lines)
