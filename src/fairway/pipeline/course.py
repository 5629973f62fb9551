"""The one place where a build moves on: writes what the scheduler decides, and says so.

All functions here run within a transaction that the caller began, with the build locked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.build import Build
from fairway.model.events import BuildChanged, BuildCreated, BuildFinished, ImageBuilt
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline import scheduler
from fairway.store import builds, logs, outbox, stages, steps, tokens


def advance(db: Connection, build_id: int, *, slug: str) -> Build:
    """Let waiting stages go or skip them, and bring the build's own status up to date.

    Returns the build as it is now. A build that has ended stays as it is.
    """
    build = builds.locked(db, build_id)
    if build.status.done:
        return build
    found = stages.of_build(db, build_id)
    settled = scheduler.settle(found, verdict=build.verdict)
    by_number = {stage.number: stage for stage in found}
    for change in settled.changes:
        _change_stage(db, build, by_number[change.stage], change=change, slug=slug)
    if settled.status is build.status:
        return build
    return _change_build(db, build, settled.status, slug=slug)


def _change_stage(
    db: Connection, build: Build, stage: Stage, *, change: scheduler.Change, slug: str
) -> None:
    values: dict[str, Any] = {"status": change.status, "reason": change.reason}
    if change.status.done:
        values["stopped"] = clock.now()
        ended = Status.SKIPPED if change.status is Status.SKIPPED else Status.CANCELLED
        steps.close(db, stage.id, running=ended, pending=ended, now=clock.now())
        logs.end_all(db, stage.id)
    stages.change(db, stage.id, **values)
    tell_stage(db, build, stage, status=change.status, slug=slug, reason=change.reason)


def _change_build(db: Connection, build: Build, status: Status, *, slug: str) -> Build:
    now = clock.now()
    values: dict[str, Any] = {"status": status}
    if status.done:
        values |= {"finished": now, "started": build.started or now}
    builds.change(db, build.id, **values)
    changed = builds.find(db, build.id)
    if status.done:
        finish(db, changed, slug=slug)
    else:
        tell_build(db, changed, slug=slug)
    return changed


def finish(db: Connection, build: Build, *, slug: str) -> None:
    """All that belongs to a build's end: its credentials end, and its end is told once."""
    tokens.revoke_build(db, build.id)
    tell_build(db, build, slug=slug)
    finished = BuildFinished(
        repository=build.repository,
        slug=slug,
        build=build.id,
        number=build.number,
        status=build.status,
        event=build.event,
        ref=build.ref,
        after=build.after,
    )
    outbox.append(db, finished, key=f"build-finished/{build.id}")


def end_early(db: Connection, build: Build, verdict: Status, *, reason: str, slug: str) -> Build:
    """End a build that a person, a newer push or the clock wants ended.

    What has not begun ends at once; what runs is told to stop, and the build ends with it.
    """
    builds.change(db, build.id, verdict=verdict, reason=reason)
    for stage in stages.of_build(db, build.id):
        if stage.status is Status.RUNNING:
            stages.change(db, stage.id, stop=True, reason=reason)
        elif not stage.status.done:
            status = scheduler.unbegun(verdict)
            change = scheduler.Change(stage.number, status, reason)
            _change_stage(db, build, stage, change=change, slug=slug)
    return advance(db, build.id, slug=slug)


def end_stage(
    db: Connection,
    build: Build,
    stage: Stage,
    *,
    reported: Status,
    slug: str,
    error: str = "",
    exit_code: int = 0,
    stopped: int | None = None,
) -> Build:
    """Write a stage's end and what follows from it for its build."""
    told = build.verdict if stage.stop else ""
    status = scheduler.stage_status(reported, steps.of_stage(db, stage.id), stopped_as=told)
    now = clock.now()
    never = Status.SKIPPED if status in {Status.PASSED, Status.FAILED} else Status.CANCELLED
    steps.close(db, stage.id, running=Status.CANCELLED, pending=never, now=now)
    logs.end_all(db, stage.id)
    stages.change(
        db,
        stage.id,
        status=status,
        error=error,
        exit_code=exit_code,
        stopped=stopped or now,
        until=None,
    )
    tell_stage(db, build, stage, status=status, slug=slug, reason=error or stage.reason)
    return advance(db, build.id, slug=slug)


def tell_created(db: Connection, build: Build, *, slug: str) -> None:
    """Say that a build exists."""
    created = BuildCreated(
        repository=build.repository,
        slug=slug,
        build=build.id,
        number=build.number,
        status=build.status,
    )
    outbox.append(db, created, key=f"build-created/{build.id}")


def tell_build(db: Connection, build: Build, *, slug: str) -> None:
    """Say where a build stands."""
    outbox.append(db, _changed(build, slug, reason=build.reason or build.error))


def tell_stage(
    db: Connection, build: Build, stage: Stage, *, status: Status, slug: str, reason: str = ""
) -> None:
    """Say where a stage stands."""
    about = {"stage": stage.name, "stage_status": str(status), "reason": reason}
    outbox.append(db, _changed(build, slug, **about))


def tell_step(
    db: Connection, build: Build, stage: Stage, step: Step, *, status: Status, slug: str
) -> None:
    """Say where a step stands."""
    about = {"stage": stage.name, "stage_status": str(stage.status), "step": step.name}
    outbox.append(db, _changed(build, slug, step_status=str(status), **about))


def _changed(build: Build, slug: str, **about: str) -> BuildChanged:
    return BuildChanged(
        repository=build.repository,
        slug=slug,
        build=build.id,
        number=build.number,
        status=build.status,
        **about,
    )


def images_of(build: Build, step: Step, *, slug: str) -> list[ImageBuilt]:
    """One event for each image of ours that a step pushed."""
    return [
        ImageBuilt(
            repository=build.repository,
            slug=slug,
            build=build.id,
            number=build.number,
            step=step.id,
            name=image["name"],
            target=image.get("target", ""),
            repository_name=image["repository"],
            digest=image["digest"],
            revision=build.after,
        )
        for image in step.images
        if image.get("repository")
    ]
