"""The transactions that make builds and change their course."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.build import Build, Retry, RetryScope
from fairway.model.errors import Conflict, NotFound
from fairway.model.repository import Repository
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline import course, retrying, superseding
from fairway.pipeline.draft import Draft
from fairway.pipeline.planning import Prepared
from fairway.store import audit, builds, outbox, stages, steps


def begin(db: Connection, repository_id: int, key: str | None) -> tuple[Repository, Build | None]:
    """The repository, and the build that this key made already."""
    repository = builds.repository_of(db, repository_id)
    return repository, builds.by_trigger_key(db, key) if key else None


_NOT_COLUMNS: Final = frozenset({"key", "required", "config"})


def _columns(draft: Draft) -> dict[str, Any]:
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__}
    kept = {name: value for name, value in fields.items() if name not in _NOT_COLUMNS}
    return {**kept, "config": draft.config or "", "trigger_key": draft.key}


def preview(repository: Repository, draft: Draft) -> Build:
    """The build as compiling sees it before it has a number."""
    now = clock.now()
    columns = _columns(draft)
    return Build(
        id=0,
        repository=repository.id,
        number=repository.counter + 1,
        status=Status.PENDING,
        created=now,
        **columns,
    )


def insert(
    db: Connection, repository_id: int, draft: Draft, prepared: Prepared, *, reason: str
) -> Build:
    """Write the build, its stages, its steps and its events; end what it supersedes."""
    repository = builds.locked_repository(db, repository_id)
    if draft.key and (known := builds.by_trigger_key(db, draft.key)):
        return known
    if draft.retry is not None:  # compiling took a while: somebody may have been faster
        retriable(db, repository_id, draft.parent, draft.retry)
    _supersede(db, repository, draft)
    values = _columns(draft) | {"repository": repository_id, "reason": reason}
    values["companions"] = msgspec.to_builtins(prepared.companions)
    values["expanded"] = "" if prepared.text == draft.config else prepared.text
    status = Status.ERRORED if prepared.error else Status.BLOCKED if reason else Status.PENDING
    build = builds.create(db, values | {"status": status, "error": prepared.error})
    made = [stages.create(db, build.id, repository_id, new) for new in prepared.stages]
    course.tell_created(db, build, slug=repository.slug)
    _audit(db, build, draft)
    if prepared.error:
        return _end_at_once(db, build, slug=repository.slug)
    _tell_carried(db, build, made, slug=repository.slug)
    return course.advance(db, build.id, slug=repository.slug)


def _supersede(db: Connection, repository: Repository, draft: Draft) -> None:
    """End what this build makes needless, as each is once nobody else can change it."""
    waiting = builds.unfinished(db, repository.id)
    for one in superseding.superseded(repository, draft, waiting):
        older = builds.locked(db, one.id)
        if older.status.done or not superseding.superseded(repository, draft, [older]):
            continue  # it has ended meanwhile, or runs now and may go on
        course.end_early(
            db,
            older,
            Status.CANCELLED,
            reason="a newer commit came",
            slug=repository.slug,
        )


_ASKED: Final = frozenset({"custom", "promote", "rollback", "pull_request"})


def _audit(db: Connection, build: Build, draft: Draft) -> None:
    """A build that somebody asked for; pushes and cron jobs tell of themselves as events."""
    if draft.retry is not None:
        what = {"build": draft.parent, "retry": draft.retry}
        audit.append(db, draft.sender, "build.retry", f"build/{build.id}", after=what)
    elif draft.event in _ASKED:
        what = {"event": draft.event, "commit": draft.after, "target": draft.deploy_to}
        audit.append(db, draft.sender, f"build.{draft.event}", f"build/{build.id}", after=what)


def _end_at_once(db: Connection, build: Build, *, slug: str) -> Build:
    now = clock.now()
    builds.change(db, build.id, started=now, finished=now)
    ended = builds.find(db, build.id)
    course.finish(db, ended, slug=slug)
    return ended


def _tell_carried(db: Connection, build: Build, made: list[Stage], *, slug: str) -> None:
    """Images of carried steps belong to this build as well: it judges them anew."""
    for stage in made:
        for step in steps.of_stage(db, stage.id):
            for event in course.images_of(build, step, slug=slug):
                outbox.append(db, event)


def carried(
    db: Connection, repository: Repository, retry: Retry, prepared: Prepared, *, number: int
) -> Prepared:
    """The stages of a retry of build `number`: see `retrying`."""
    parent = _numbered(db, repository.id, number)
    return retrying.carry(prepared, retry, parent=parent, before=_stages_of(db, parent))


def _stages_of(db: Connection, build: Build) -> list[tuple[Stage, list[Step]]]:
    found = stages.of_build(db, build.id)
    return [(stage, steps.of_stage(db, stage.id)) for stage in found]


def _numbered(db: Connection, repository_id: int, number: int) -> Build:
    found = builds.by_number(db, repository_id, number)
    if found is None:
        raise NotFound(f"there is no build #{number}", code="build-not-found")
    return found


def finished(db: Connection, repository_id: int, number: int) -> Build:
    """A build that has ended. Raises `NotFound`, `Conflict` (`build-not-finished`)."""
    found = _numbered(db, repository_id, number)
    if not found.status.done:
        raise Conflict(
            f"build #{number} has not ended: it is {found.status}",
            code="build-not-finished",
            remedy=f"wait for it, or cancel it: fairway cancel {number}",
        )
    return found


def retriable(db: Connection, repository_id: int, number: int, retry: Retry) -> Build:
    """A build of which this may run again. Raises as `Builds.retry`."""
    found = finished(db, repository_id, number)
    retrying.check(found, retry, _stages_of(db, found))
    again = builds.children(db, repository_id, number)
    running = [child for child in again if child.retry is not None and not child.status.done]
    if running and retry.scope is not RetryScope.ALL:
        raise Conflict(
            f"build #{running[0].number} is a retry of #{number} and uses its workspace",
            code="retry-running",
            remedy="wait for it, or retry everything",
        )
    return found


def cancel(db: Connection, repository_id: int, number: int, *, actor: str, reason: str) -> Build:
    """End a build; see `Builds.cancel`."""
    build = builds.locked(db, _numbered(db, repository_id, number).id)
    if build.status.done:
        raise Conflict(
            f"build #{number} has ended already: it {build.status}", code="build-finished"
        )
    slug = builds.repository_of(db, repository_id).slug
    audit.append(db, actor, "build.cancel", f"build/{build.id}", after=reason)
    if build.verdict:
        return build
    return course.end_early(db, build, Status.CANCELLED, reason=reason, slug=slug)


def _blocked(db: Connection, repository_id: int, number: int) -> Build:
    build = builds.locked(db, _numbered(db, repository_id, number).id)
    if build.status is not Status.BLOCKED:
        raise Conflict(
            f"build #{number} waits for nobody: it is {build.status}", code="build-not-blocked"
        )
    return build


def approve(db: Connection, repository_id: int, number: int, actor: str) -> Build:
    """Let a blocked build go."""
    build = _blocked(db, repository_id, number)
    slug = builds.repository_of(db, repository_id).slug
    audit.append(db, actor, "build.approve", f"build/{build.id}")
    builds.change(db, build.id, reason=f"approved by {actor}")
    for stage in stages.of_build(db, build.id):
        if stage.status is Status.BLOCKED:
            stages.change(db, stage.id, status=Status.WAITING)
    return course.advance(db, build.id, slug=slug)


def decline(db: Connection, repository_id: int, number: int, actor: str) -> Build:
    """End a blocked build."""
    build = _blocked(db, repository_id, number)
    slug = builds.repository_of(db, repository_id).slug
    audit.append(db, actor, "build.decline", f"build/{build.id}")
    return course.end_early(db, build, Status.DECLINED, reason=f"declined by {actor}", slug=slug)
