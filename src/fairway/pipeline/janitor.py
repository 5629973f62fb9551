"""The controller that ends what nobody ends: lost runners' stages, late builds, old logs.

One process does it at a time, under a lease. Every round decides anew from the store, so that it
may be stopped anywhere.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.build import Build
from fairway.model.errors import FairwayError
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.pipeline import brakes, course, progress, retention
from fairway.pipeline.dispatch import LEASE_SECONDS
from fairway.pipeline.logs import Logs
from fairway.pipeline.retention import Limits
from fairway.pipeline.scheduler import MAX_ATTEMPTS
from fairway.store import builds, lease, logs, old_builds, outbox, stages
from fairway.store.database import Database

EVERY_S: Final = 1.0
_RENEW_S: Final = LEASE_SECONDS / 3
_DISK_EVERY_S: Final = 10.0
_RETENTION_EVERY_S: Final = 600.0
_BUILDS_AT_ONCE: Final = 200
_LEASE: Final = "pipeline.janitor"
_log = logging.getLogger(__name__)


class Disk(Protocol):
    """The disk that blobs are on."""

    async def free(self) -> int | None:
        """Free bytes; None where nobody can say."""
        ...


class Janitor:
    """Looks after builds until it is cancelled."""

    def __init__(
        self,
        database: Database,
        kept: Logs,
        disk: Disk,
        *,
        holder: str,
        limits: Limits,
        wake: Wake,
    ) -> None:
        """`holder` is this process's name, new with every start."""
        self._database = database
        self._logs = kept
        self._disk = disk
        self._holder = holder
        self._limits = limits
        self._wake = wake
        self._next: dict[str, float] = {}
        self._began = clock.now()
        self._held = False

    async def run(self) -> None:
        """Work while the lease is ours."""
        while True:
            try:
                if await self._hold():
                    await self.round()
            except FairwayError as error:
                _log.warning("the janitor's round failed: %s", error)
            await asyncio.sleep(EVERY_S)

    async def _hold(self) -> bool:
        """Whether the lease is ours for a while yet. Renewing it writes to the disk: seldom."""
        if self._due("lease", _RENEW_S) or not self._held:
            self._held = False  # where the write fails, too
            self._held = await self._database.write(
                lease.acquire, _LEASE, self._holder, LEASE_SECONDS
            )
        return self._held

    async def round(self) -> None:
        """Do what is due now."""
        now = clock.now()
        lost, late = await self._database.read(_overdue, now)
        if now - self._began <= LEASE_SECONDS * 1000:
            lost = []  # after our own start, runners get time to be heard again
        changed = await self._lost(lost, now) + await self._late(late)
        if self._due("disk", _DISK_EVERY_S):
            changed += await self._look_at_disk()
        if self._due("retention", _RETENTION_EVERY_S):
            await self._retain(now)
        if changed:
            self._wake.set()

    def _due(self, name: str, every_s: float) -> bool:
        now = asyncio.get_running_loop().time()
        if self._next.get(name, 0.0) > now:
            return False
        self._next[name] = now + every_s
        return True

    async def _lost(self, found: list[Stage], now: int) -> int:
        """Stages whose runner went silent: queued again, or ended."""
        for stage in found:
            _log.warning("runner %s went silent with stage %d", stage.machine, stage.id)
            await self._database.write(give_up_or_queue, stage.id, now)
        return len(found)

    async def _late(self, found: list[Build]) -> int:
        for build in found:
            await self._database.write(end_late, build.id)
        return len(found)

    async def _look_at_disk(self) -> int:
        free = await self._disk.free()
        if free is None:
            return 0
        low = free < self._limits.free_space_bytes
        return int(await self._database.write(brakes.disk, free, low=low))

    async def _retain(self, now: int) -> None:
        kept = await self._database.read(logs.kept)
        for row in retention.logs_to_remove([row for row, _ in kept], self._limits, now):
            await self._logs.remove(row)
        before = retention.events_before(self._limits, now)
        if before > 0:
            await self._database.write(outbox.forget, before)
        await self._retain_builds(now)

    async def _retain_builds(self, now: int) -> None:
        """A build goes whole: the bytes of its logs first, which no row would name any more."""
        gone = await self._database.read(
            old_builds.found,
            before=retention.builds_before(self._limits, now),
            most=self._limits.builds_count,
            limit=_BUILDS_AT_ONCE,
        )
        for build_id in gone:
            for row in await self._database.read(logs.of_build, build_id):
                await self._logs.remove(row)
            await self._database.write(old_builds.remove, build_id)
        if gone:
            _log.info("retention removed %d builds", len(gone))


def _overdue(db: Connection, now: int) -> tuple[list[Stage], list[Build]]:
    return stages.expired(db, now), builds.overdue(db, now)


def give_up_or_queue(db: Connection, stage_id: int, now: int) -> None:
    """A stage without a living holder: end it where it was to stop or was lost too often."""
    seen = stages.find(db, stage_id)
    build = builds.locked(db, seen.build)
    stage = stages.find(db, stage_id)
    if stage.status is not Status.RUNNING or (stage.until or 0) >= now:
        return
    slug = builds.repository_of(db, build.repository).slug
    if stage.stop or stage.attempt >= MAX_ATTEMPTS:
        error = "" if stage.stop else _given_up(stage)
        status = Status.CANCELLED if stage.stop else Status.ERRORED
        course.end_stage(db, build, stage, reported=status, slug=slug, error=error)
        return
    reason = f"runner {stage.machine} went silent; attempt {stage.attempt + 1} follows"
    stages.change(db, stage.id, status=Status.PENDING, reason=reason, token="", until=None)
    course.tell_stage(db, build, stage, status=Status.PENDING, slug=slug, reason=reason)


def _given_up(stage: Stage) -> str:
    return f"its runner was lost {stage.attempt} times, the last one was {stage.machine}"


def end_late(db: Connection, build_id: int) -> None:
    """A build past its deadline: what runs is told to stop, the rest never begins."""
    build = builds.locked(db, build_id)
    if build.status is not Status.RUNNING or build.verdict:
        return
    repository = builds.repository_of(db, build.repository)
    seconds = ((build.deadline or 0) - (build.started or 0)) // 1000
    reason = progress.past_limit(seconds)
    course.end_early(db, build, Status.FAILED, reason=reason, slug=repository.slug)
