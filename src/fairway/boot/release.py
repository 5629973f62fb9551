"""What releases ask of the other chapters, from what this process has opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection

from fairway.app import App
from fairway.boot.opening import Opened
from fairway.git.reads import Reads
from fairway.git.writing import Author
from fairway.image.shelf import Shelf
from fairway.model.commit import CommitFacts
from fairway.model.errors import NotFound
from fairway.model.scope import SYSTEM
from fairway.model.status import Status
from fairway.pipeline.builds import Builds
from fairway.queue.shards import Shards
from fairway.release.controller import ReleaseController
from fairway.release.ports import Deps, Place
from fairway.release.spec import PipelineCheck
from fairway.source.writing import Writer
from fairway.store import approvals, builds, refs, repositories, teams
from fairway.store.database import Database

_AUTHOR: Final = Author(name="Fairway", email="fairway@localhost")
_TAG: Final = "refs/tags/"


def controller(app: App, opened: Opened) -> ReleaseController | None:
    """Of a process with the role controllers."""
    made = deps(app, opened)
    if made is None:
        return None
    return ReleaseController(made, Shards(app.database, "release", app.holder))


def deps(app: App, opened: Opened) -> Deps | None:
    """What releases stand on; None in a process without the role controllers."""
    ports = app.ports
    if ports.fleet is None or ports.toolbox is None:
        return None
    return Deps(
        database=app.database,
        fleet=ports.fleet,
        code=RepositoryCode(app.database, opened.reads, ports.writer),
        shelf=Shelf(app.database, ports.blobs),
        toolbox=ports.toolbox,
        teams=TeamMembers(app.database),
        pipelines=BuildChecks(app.database, app.builds),
        registry=app.settings.registry_name,
        hub_namespace=app.settings.gitops.namespace,
        install_s=app.settings.release.install_s,
    )


class RepositoryCode:
    """`release.ports.Code` over the repositories of this process."""

    def __init__(self, database: Database, reads: Reads, writer: Writer) -> None:
        self._database = database
        self._reads = reads
        self._writer = writer

    async def find(self, slug: str) -> Place:
        """A repository. Raises `NotFound` (code `no-repository`)."""
        found = await self._database.read(repositories.by_slug, SYSTEM, slug)
        if found is None:
            raise NotFound(
                f"there is no repository {slug}",
                code="no-repository",
                remedy="push it, or name another one in the Delivery",
            )
        return Place(found.id, found.slug, found.default_branch)

    async def head(self, place: Place, branch: str) -> str:
        """What a branch is at; "" where there is none."""
        return await self._reads.resolve(place.number, f"refs/heads/{branch}") or ""

    async def files(self, place: Place, sha: str, path: str) -> dict[str, bytes]:
        """All files of a folder by their path in it; of a file, itself by its name."""
        there = await self._reads.entries(place.number, sha, [path])
        if path not in there:
            return {}
        top = there[path]
        if top.kind == "folder":
            entries = await self._reads.below(place.number, sha, path)
        else:
            entries = [top]
        wanted = {one.path: one.sha for one in entries if one.kind == "file"}
        data = await self._reads.blobs(place.number, sorted(set(wanted.values())))
        prefix = f"{path}/" if top.kind == "folder" and path else ""
        short = top.name if top.kind != "folder" else ""
        return {short or one.removeprefix(prefix): data[sha] for one, sha in wanted.items()}

    async def history(self, place: Place, sha: str, *, until: str, limit: int) -> list[CommitFacts]:
        """Commits from `sha` back to `until`, newest first."""
        found = await self._reads.log(place.number, sha, limit=limit)
        for at, one in enumerate(found):
            if one.sha == until:
                return found[:at]
        return found

    async def tags(self, place: Place) -> dict[str, str]:
        """Tag -> commit."""
        every = await self._database.read(refs.listing, place.number, prefix=_TAG, limit=10_000)
        found = {}
        for name, _sha in every:
            commit = await self._reads.resolve(place.number, name)
            if commit:
                found[name.removeprefix(_TAG)] = commit
        return found

    async def commit(
        self,
        place: Place,
        branch: str,
        changes: Mapping[str, bytes | None],
        *,
        message: str,
        expected: str,
    ) -> str:
        """Commit onto a branch as Fairway. Raises `Conflict` (`ref-moved`)."""
        return await self._writer.commit(
            place.number, branch, changes, message=message, author=_AUTHOR, expected=expected
        )

    async def logins(self, emails: Collection[str]) -> dict[str, str]:
        """Which users have these addresses."""
        return await self._database.read(approvals.logins, emails)


class TeamMembers:
    """`release.ports.Teams` over our teams."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def members(self, team: str) -> Collection[str]:
        """Logins; empty where there is no such team."""
        found = await self._database.read(teams.by_name, team)
        return frozenset(found.members) if found else frozenset()


class BuildChecks:
    """`release.ports.Pipelines`: builds with the event `custom`."""

    def __init__(self, database: Database, made: Builds) -> None:
        self._database = database
        self._builds = made

    async def start(
        self, slug: str, check: PipelineCheck, parameters: Mapping[str, str], *, key: str
    ) -> str:
        """Start one, once for a key. Raises `NotFound`, `Conflict` when nothing would run."""
        found = await self._database.read(repositories.by_slug, SYSTEM, slug)
        if found is None:
            raise NotFound(f"there is no repository {slug}", code="no-repository")
        build = await self._builds.custom(
            found.id,
            ref=check.branch,
            params={**parameters, **check.parameters},
            actor="fairway",
            key=key,
        )
        return f"{found.slug}#{build.number}"

    async def verdict(self, reference: str) -> tuple[str, str]:
        """("" while it goes on, else passed or failed; why)."""
        return await self._database.read(_verdict, reference)


def _verdict(db: Connection, reference: str) -> tuple[str, str]:
    slug, _, number = reference.rpartition("#")
    found = repositories.by_slug(db, SYSTEM, slug)
    build = builds.by_number(db, found.id, int(number)) if found else None
    if build is None:
        return "failed", f"the build {reference} is gone"
    status = Status(build.status)
    if not status.done:
        return "", f"build {reference} is {status}"
    return ("passed" if status is Status.PASSED else "failed"), f"build {reference} {status}"
