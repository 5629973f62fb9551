"""A pipeline chapter on a real store, with Git in memory and a runner played by the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from fairway.access.keyring import Keyring
from fairway.blob.folder import Folder
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.build import Build
from fairway.model.events import RefUpdated
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline.builds import Builds
from fairway.pipeline.dispatch import Lease, Runner, StageReport, StepReport
from fairway.pipeline.dispatch_local import LocalDispatch
from fairway.pipeline.facts import Installation
from fairway.pipeline.leases import Leases
from fairway.pipeline.logs import Logs
from fairway.pipeline.reactions import Reactions
from fairway.pipeline.secrets import Secrets
from fairway.store import builds, outbox, stages, steps
from fairway.store.database import Database
from fairway.store.schema import event, organisation, repository
from fairway.testing.pipeline import MemorySignatures, MemorySources, NoTemplates

ALICE = Runner(name="alice", instance="a1")


@dataclass
class Chapter:
    """Everything a test of the chapter needs, by name."""

    database: Database
    sources: MemorySources
    signatures: MemorySignatures
    builds: Builds
    dispatch: LocalDispatch
    logs: Logs
    secrets: Secrets
    reactions: Reactions
    repository: int
    organisation: int
    pushes: list[str] = field(default_factory=list)

    async def push(
        self,
        file: str | None,
        *,
        ref: str = "refs/heads/main",
        message: str = "Change it",
        options: list[str] | None = None,
    ) -> Build | None:
        """Push a commit with this file, and hear of it. The build, if one came of it."""
        before = self.sources.refs.get((self.repository, ref), "")
        after = self.sources.push(self.repository, ref, file, message=message)
        moved = RefUpdated(
            repository=self.repository,
            slug="acme/site",
            ref=ref,
            before=before,
            after=after,
            actor="ada",
            options=options or [],
        )
        key = f"event/{len(self.pushes)}"
        self.pushes.append(key)
        await self.reactions.build_ref(moved, key)
        return await self.database.read(builds.by_trigger_key, key)

    async def lease(self, runner: Runner = ALICE) -> Lease:
        """The next stage, which must be there."""
        found = await self.dispatch.lease(runner, wait_s=0)
        assert found is not None, "nothing to run"
        return found

    async def step(self, lease: Lease, number: int, status: Status, **more: Any) -> None:
        """Report one step."""
        report = StepReport(number=number, status=status, **more)
        await self.dispatch.step(lease.stage, lease.token, report)

    async def run(self, lease: Lease, status: Status = Status.PASSED) -> None:
        """Run every step of a stage; the last one ends with `status`."""
        numbers = [step.number for step in lease.graph.steps]
        for number in numbers:
            await self.step(lease, number, Status.RUNNING)
            last = number == numbers[-1]
            await self.step(lease, number, status if last else Status.PASSED)
        await self.finish(lease, status)

    async def finish(self, lease: Lease, status: Status = Status.PASSED) -> None:
        """Report a stage's end."""
        await self.dispatch.finish(lease.stage, lease.token, StageReport(status=status))

    async def build(self, number: int) -> Build:
        """A build by number."""
        found = await self.database.read(builds.by_number, self.repository, number)
        assert found is not None
        return found

    async def stages(self, number: int) -> list[Stage]:
        """A build's stages."""
        return await self.database.read(stages.of_build, (await self.build(number)).id)

    async def steps(self, number: int) -> list[Step]:
        """A build's steps."""
        return await self.database.read(steps.of_build, (await self.build(number)).id)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of all events of a kind."""
        query = select(event.c.payload).where(event.c.type == kind).order_by(event.c.id)
        return await self.database.read(lambda db: list(db.execute(query).scalars()))

    async def set(self, **columns: Any) -> None:
        """Change the repository's columns."""
        query = update(repository).where(repository.c.id == self.repository).values(columns)
        await self.database.write(lambda db: db.execute(query))


def _seed(db: Connection) -> tuple[int, int]:
    made = db.execute(
        insert(organisation).values(name="acme", created=clock.now()).returning(organisation.c.id)
    ).scalar_one()
    values = {"slug": "acme/site", "organisation": made, "name": "site", "created": clock.now()}
    row = db.execute(insert(repository).values(values).returning(repository.c.id))
    return made, row.scalar_one()


@pytest.fixture
def chapter(database: Database, tmp_path: Path) -> Chapter:
    """The chapter with one repository, acme/site."""
    outbox.subscribe([])
    organisation_id, repository_id = database.write_now(_seed)
    sources, signatures, wake = MemorySources(), MemorySignatures(), Wake()
    installation = Installation()
    made = Builds(
        database,
        sources,
        signatures=signatures,
        templates=NoTemplates(),
        installation=installation,
        wake=wake,
    )
    secrets = Secrets(database, Keyring({"k1": bytes(32)}, "k1"))
    logs = Logs(database, Folder(tmp_path / "blobs"))
    leases = Leases(secrets, installation, registry="127.0.0.1:8480")
    return Chapter(
        database=database,
        sources=sources,
        signatures=signatures,
        builds=made,
        dispatch=LocalDispatch(database, logs, leases, wake=wake),
        logs=logs,
        secrets=secrets,
        reactions=Reactions(database, sources, made),
        repository=repository_id,
        organisation=organisation_id,
    )
