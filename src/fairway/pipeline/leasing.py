"""The transactions of `Dispatch`: taking a stage, renewing it, writing what its runner reports."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

from msgspec import Struct, to_builtins
from sqlalchemy import Connection

from fairway.access import tokens
from fairway.access.keyring import stage_place
from fairway.access.tokens import BUILD_SCOPES
from fairway.kit import clock
from fairway.model.build import Build
from fairway.model.errors import Conflict, FairwayError
from fairway.model.repository import Repository
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.model.token import TokenScope
from fairway.pipeline import course, scheduler
from fairway.pipeline.brakes import brakes_of
from fairway.pipeline.dispatch import LEASE_SECONDS, Orders, Runner, StageReport, StepReport
from fairway.pipeline.report import saved_report
from fairway.pipeline.secrets import Sealer
from fairway.store import builds, logs, outbox, reports, runners, stages, steps

LEASE_MS = int(LEASE_SECONDS * 1000)
SEEN_MS = 10_000  # how old "last seen" may be


class Taken(Struct, frozen=True, kw_only=True):
    """A stage that was just leased, and all that its lease is composed of."""

    stage: Stage
    stages: list[Stage]
    build: Build
    ancestry: list[Build]  # the build, and what it repeats or promotes, to the origin
    repository: Repository
    steps: list[Step]
    log_ends: dict[int, tuple[int, bool]]  # step number -> raw bytes kept, whether whole
    images: list[dict[str, str]]  # what earlier steps of the build pushed, and carried ones
    credential: str  # this build's


def digest(token: str) -> str:
    """What is kept of a lease's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def lost() -> Conflict:
    """The error for a token that is no longer the stage's."""
    return Conflict("another runner holds this stage now, or it has ended", code="lease-lost")


def holder_of(runner: Runner) -> str:
    """Who holds a lease: one start of one runner."""
    return f"{runner.name}/{runner.instance}"


def seen(db: Connection, runner: Runner) -> None:
    """Remember what a runner says of itself."""
    values = {
        "type": runner.type,
        "os": runner.os,
        "arch": runner.arch,
        "variant": runner.variant,
        "kernel": runner.kernel,
        "labels": runner.labels,
        "capacity": runner.capacity,
        "version": runner.version,
    }
    runners.seen(db, runner.name, values)


def wanted(db: Connection, runner: Runner, *, lost_before: int) -> list[Stage]:
    """What this runner may take now, best first: its own from before a restart, then the queue.

    The queue holds stages of other runners too whose lease ended before `lost_before`.
    """
    mine = [
        stage
        for stage in stages.held_by(db, runner.name)
        if stage.holder != holder_of(runner) and runner.instance
    ]
    queue = stages.queued(db, lost_before, kind=runner.type)
    if not mine and not queue:
        return []
    return mine + scheduler.choose(runner, queue, stages.active(db), brakes_of(db))


def take(
    db: Connection,
    runner: Runner,
    token: str,
    *,
    lost_before: int,
    sealer: Sealer,
    most_s: int,
) -> Taken | None:
    """Lease the first stage that is to be had. None when there is none (any more).

    `most_s` is the longest that a build may take, whatever its repository says.
    """
    for stage in wanted(db, runner, lost_before=lost_before):
        claimed = stages.claim(
            db,
            stage,
            holder=holder_of(runner),
            machine=runner.name,
            token=digest(token),
            until=clock.now() + LEASE_MS,
        )
        if claimed:
            return _taken(db, stage, runner=runner, sealer=sealer, most_s=most_s)
    return None


def _taken(db: Connection, before: Stage, *, runner: Runner, sealer: Sealer, most_s: int) -> Taken:
    if before.attempt and before.machine != runner.name:
        steps.restart(db, before.id)
    repository = builds.repository_of(db, before.repository)
    build = builds.locked(db, before.build)
    _begin(db, build, min(repository.timeout_s or most_s, most_s))
    build = course.advance(db, build.id, slug=repository.slug)
    stage = stages.find(db, before.id)
    if not before.attempt:
        course.tell_stage(db, build, stage, status=Status.RUNNING, slug=repository.slug)
    found = steps.of_stage(db, stage.id)
    return Taken(
        stage=stage,
        stages=stages.of_build(db, build.id),
        build=build,
        ancestry=builds.ancestry(db, build),
        repository=repository,
        steps=found,
        log_ends=_log_ends(db, found),
        images=_images(db, build),
        credential=_credential(db, stage, build, sealer),
    )


def _begin(db: Connection, build: Build, timeout_s: int) -> None:
    if build.started is None:
        now = clock.now()
        builds.change(db, build.id, started=now, deadline=now + timeout_s * 1000)


def _log_ends(db: Connection, found: list[Step]) -> dict[int, tuple[int, bool]]:
    ends: dict[int, tuple[int, bool]] = {}
    for step in found:
        row = logs.find(db, step.id, step.attempt)
        if row is not None:
            ends[step.number] = (row.raw, row.done)
    return ends


def _images(db: Connection, build: Build) -> list[dict[str, str]]:
    """Images that the build's steps may use by name; its own last, so that they win."""
    chain = reversed(builds.ancestry(db, build))
    return [image for one in chain for step in steps.of_build(db, one.id) for image in step.images]


def _credential(db: Connection, stage: Stage, build: Build, sealer: Sealer) -> str:
    """The stage's own credentials, the same in every lease.

    Containers of a former lease go on with what they were given, and logs mask what the present
    holder knows. What a fork sends may use images, but push none.
    """
    place = stage_place(stage.id)
    if stage.credential is not None:
        with contextlib.suppress(FairwayError):  # its key was retired meanwhile: another one then
            return sealer.open(stage.credential, place=place).reveal()
    origin = builds.ancestry(db, build)[-1]
    kept = [each for each in BUILD_SCOPES if not origin.fork or each != TokenScope.REGISTRY_PUSH]
    expires = (build.deadline or clock.now() + 24 * 3600_000) + 3600_000
    minted = tokens.mint_for_build(db, build.id, scopes=kept, expires=expires)
    stages.change(db, stage.id, credential=sealer.seal(minted, place=place))
    return minted.reveal()


def renew(db: Connection, stage_id: int, token: str) -> Orders:
    """Extend a lease. Raises `Conflict` (`lease-lost`)."""
    until = clock.now() + LEASE_MS
    stage = stages.renew(db, stage_id, digest(token), until)
    if stage is None:
        raise lost()
    runners.alive(db, stage.machine, within_ms=SEEN_MS)
    return orders_of(stage, until=until)


def orders(db: Connection, stage_id: int, token: str) -> Orders:
    """What is wanted of the holder, without extending its lease. Raises `Conflict`."""
    return orders_of(_held(db, stage_id, token))


def orders_of(stage: Stage, *, until: int | None = None) -> Orders:
    """What a stage's row asks of its holder."""
    if stage.status is not Status.RUNNING:
        return Orders(stop=True, reason=stage.reason or "the stage has ended", until=0)
    return Orders(stop=stage.stop, reason=stage.reason, until=until or stage.until or 0)


def _held(db: Connection, stage_id: int, token: str) -> Stage:
    stage = stages.by_token(db, stage_id, digest(token))
    if stage is None:
        raise lost()
    return stage


def _locked(db: Connection, stage_id: int, token: str) -> tuple[Build, Stage]:
    """The build, locked, and the stage as it is then: until here it may have been given to another
    runner, or have ended.
    """
    build = builds.locked(db, _held(db, stage_id, token).build)
    return build, _held(db, stage_id, token)


def step_reported(db: Connection, stage_id: int, token: str, report: StepReport) -> Orders:
    """Write a step's start or end; a report heard before, or overtaken, changes nothing."""
    build, stage = _locked(db, stage_id, token)
    if stage.status is not Status.RUNNING:
        return orders_of(stage)
    step = steps.at(db, stage_id, report.number)
    if not _new(step, report):
        return orders_of(stage)
    values: dict[str, Any] = {
        "status": report.status,
        "attempt": report.attempt,
        "exit_code": report.exit_code,
        "error": report.error,
        "started": report.started or step.started or clock.now(),
        "stopped": (report.stopped or clock.now()) if report.status.done else None,
        "images": to_builtins(report.images),
    }
    steps.change(db, step.id, **values)
    if report.cases or report.lines_total:
        reports.save(db, step.id, report.attempt, saved_report(report))
    slug = builds.repository_of(db, build.repository).slug
    course.tell_step(db, build, stage, step, status=report.status, slug=slug)
    for event in course.images_of(build, steps.find(db, step.id), slug=slug):
        outbox.append(
            db, event, key=f"image-built/{step.id}/{event.repository_name}/{event.digest}"
        )
    return orders_of(stage)


def _new(step: Step, report: StepReport) -> bool:
    """Whether a report says more than what is written.

    A carried step has ended in an earlier build; it runs here only to make a workspace anew.
    """
    if step.carried and step.status.done:
        return report.status is Status.RUNNING and report.started != step.started
    if report.attempt != step.attempt:
        return report.attempt > step.attempt
    return not step.status.done and report.status is not step.status


def finished(db: Connection, stage_id: int, token: str, report: StageReport) -> None:
    """Write a stage's end; hearing it twice changes nothing."""
    build, stage = _locked(db, stage_id, token)
    if stage.status is not Status.RUNNING:
        return
    course.end_stage(
        db,
        build,
        stage,
        reported=report.status,
        slug=builds.repository_of(db, build.repository).slug,
        error=report.error,
        exit_code=report.exit_code,
        stopped=report.stopped,
    )


def log_place(db: Connection, stage_id: int, token: str, number: int) -> int:
    """The step whose log a holder may write. Raises `Conflict` (`lease-lost`)."""
    _held(db, stage_id, token)
    return steps.at(db, stage_id, number).id
