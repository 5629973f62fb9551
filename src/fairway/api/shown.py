"""Nouns as the wire shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from fairway.client.wire import build as wire
from fairway.client.wire import repository as wire_repository
from fairway.client.wire import system as wire_system
from fairway.client.wire import who as wire_who
from fairway.kit import clock
from fairway.model.audit import AuditEntry
from fairway.model.build import Build
from fairway.model.built import MadeView
from fairway.model.cron import Cron
from fairway.model.delivery_right import DeliveryRight
from fairway.model.organisation import Organisation
from fairway.model.report import Report
from fairway.model.repository import Repository
from fairway.model.role import Grant
from fairway.model.runner import RunnerFacts
from fairway.model.secret import SecretFacts
from fairway.model.stage import Stage
from fairway.model.step import Log, Step
from fairway.model.team import Team
from fairway.model.token import Token
from fairway.model.user import User
from fairway.pipeline import waiting
from fairway.source.crons import NEVER
from fairway.store import builds

ONLINE_MS = 45_000  # a runner asks at least every 30 s
SLOWEST = 10


def time(at: int | None) -> str:
    """A time that is always there."""
    return clock.text(at) or ""


def repository(
    found: Repository, *, clone_url: str = "", last: Build | None = None
) -> wire_repository.Repository:
    """A repository; `last` is its newest build."""
    return wire_repository.Repository(
        slug=found.slug,
        default_branch=found.default_branch,
        visibility=str(found.visibility),
        active=found.active,
        trusted=found.trusted,
        protected=found.protected,
        config_path=found.config_path,
        timeout_s=found.timeout_s,
        settings=msgspec.to_builtins(found.settings),
        remote_url=found.remote_url,
        poll_error=found.poll_error,
        clone_url=clone_url,
        builds=found.counter,
        last_build=last.number if last else 0,
        last_status=str(last.status) if last else "",
        created=time(found.created),
    )


def _branch(found: Build) -> str:
    return found.target or found.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def build(found: Build, slug: str, stages: Sequence[wire.Stage] = ()) -> wire.Build:
    """A build."""
    same = {
        name: getattr(found, name)
        for name in (
            "number", "event", "action", "error", "reason", "ref", "source", "target", "before",
            "after", "title", "message", "author_name", "author_email", "sender", "trigger",
            "cron", "deploy_to", "fork", "parent", "params", "link",
        )
    }  # fmt: skip
    return wire.Build(
        repository=slug,
        status=str(found.status),
        branch=_branch(found),
        author=found.author_login or found.author_name,
        created=time(found.created),
        started=clock.text(found.started),
        finished=clock.text(found.finished),
        stages=list(stages),
        companions=[
            wire.Companion(image=one.image, digest=one.digest, origin=one.origin)
            for one in found.companions
        ],
        **same,
    )


def stage(found: Stage, steps: Iterable[wire.Step], reason: str = "") -> wire.Stage:
    """A stage with its steps, and why it waits."""
    return wire.Stage(
        number=found.number,
        name=found.name,
        status=str(found.status),
        type=found.type,
        error=found.error,
        reason=reason or found.reason,
        os=found.os,
        arch=found.arch,
        labels=found.labels,
        depends_on=found.depends_on,
        machine=found.machine,
        attempt=found.attempt,
        created=time(found.created),
        started=clock.text(found.started),
        stopped=clock.text(found.stopped),
        steps=list(steps),
    )


def step(found: Step, log: Log | None, reason: str = "") -> wire.Step:
    """A step; `log` is its newest attempt's."""
    return wire.Step(
        number=found.number,
        name=found.name,
        status=str(found.status),
        attempt=found.attempt,
        exit_code=found.exit_code,
        error=found.error,
        reason=reason,
        image=found.image,
        service=found.service,
        detach=found.detach,
        ignored=found.ignored,
        depends_on=found.depends_on,
        images=[dict(one) for one in found.images],
        carried=found.carried,
        started=clock.text(found.started),
        stopped=clock.text(found.stopped),
        log_bytes=log.size if log else 0,
        log_lines=log.lines if log else 0,
        log_truncated=bool(log and log.truncated),
        log_removed=bool(log and log.removed),
    )


def reports(
    found: Sequence[tuple[Report, str, str]],
    *,
    before: tuple[int, int] | None,
    compared_with: int = 0,
) -> wire.Reports:
    """The tests and the coverage of a build: (report, stage, step) each."""
    cases = [_case(one) for report, _stage, _step in found for one in report.cases]
    covered = sum(report.lines_covered for report, _stage, _step in found)
    total = sum(report.lines_total for report, _stage, _step in found)
    now = percent(covered, total)
    former = percent(*before) if before else None
    change = round(now - former, 2) if now is not None and former is not None else None
    return wire.Reports(
        passed=sum(report.passed for report, _stage, _step in found),
        failed=sum(report.failed for report, _stage, _step in found),
        errored=sum(report.errored for report, _stage, _step in found),
        skipped=sum(report.skipped for report, _stage, _step in found),
        coverage=now,
        coverage_before=former,
        coverage_change=change,
        compared_with=compared_with,
        failures=[one for one in cases if one.status in {"failed", "errored"}],
        slowest=sorted(cases, key=lambda one: -one.seconds)[:SLOWEST],
        steps=[_step_report(report, stage, step) for report, stage, step in found],
    )


def _case(data: Mapping[str, object]) -> wire.Case:
    return msgspec.convert(data, wire.Case)


def _step_report(report: Report, stage_name: str, step_name: str) -> wire.StepReports:
    return wire.StepReports(
        stage=stage_name,
        step=step_name,
        passed=report.passed,
        failed=report.failed,
        errored=report.errored,
        skipped=report.skipped,
        lines_covered=report.lines_covered,
        lines_total=report.lines_total,
        coverage=percent(report.lines_covered, report.lines_total),
    )


def percent(covered: int, total: int) -> float | None:
    """Two digits behind the point; None when nothing was measured."""
    return round(100.0 * covered / total, 2) if total else None


def runner(found: RunnerFacts, busy: int) -> wire_system.Runner:
    """A runner."""
    return wire_system.Runner(
        name=found.name,
        type=found.type,
        os=found.os,
        arch=found.arch,
        labels=found.labels,
        capacity=found.capacity,
        busy=busy,
        version=found.version,
        paused=found.paused,
        online=clock.now() - found.seen < ONLINE_MS,
        seen=time(found.seen),
    )


def user(found: User) -> wire_who.User:
    """A user."""
    return wire_who.User(
        login=found.login,
        name=found.name,
        email=found.email,
        admin=found.admin,
        machine=found.machine,
        active=found.active,
        created=time(found.created),
    )


def token(found: Token, login: str, slug: str) -> wire_who.Token:
    """A token without its value."""
    return wire_who.Token(
        id=found.id,
        user=login,
        name=found.name,
        scopes=[str(one) for one in found.scopes],
        repository=slug,
        expires=clock.text(found.expires),
        revoked=clock.text(found.revoked),
        used=clock.text(found.used),
        created=time(found.created),
    )


def organisation(found: Organisation, repositories: int) -> wire_who.Organisation:
    """An organisation with how many repositories the asker sees."""
    return wire_who.Organisation(
        name=found.name, repositories=repositories, created=time(found.created)
    )


def secret(found: SecretFacts, scope: str) -> wire_who.Secret:
    """A secret without its value; `scope` is whose it is."""
    return wire_who.Secret(
        name=found.name,
        scope=scope,
        pull_request=found.pull_request,
        pull_request_push=found.pull_request_push,
        events=found.events,
        branches=found.branches,
        images=found.images,
        environments=found.environments,
        created=time(found.created),
        updated=time(found.updated),
        used=clock.text(found.used),
    )


def image(found: MadeView, registry: str) -> wire_system.Image:
    """An image that a build made; `registry` is our registry's host."""
    made = found.made
    name = f"{made.repository_name}@{made.digest}"
    return wire_system.Image(
        repository_name=made.repository_name,
        digest=made.digest,
        reference=f"{registry}/{name}" if registry else name,
        name=made.name,
        target=made.target,
        repository=found.slug,
        build=found.number,
        stage=found.stage,
        step=found.step,
        revision=made.revision,
        candidate=str(made.candidate),
        reason=made.reason,
        tags=list(found.tags),
        size=found.size,
        judged=clock.text(made.judged),
        created=time(made.created),
    )


def reasons(db: Connection, found: Iterable[int]) -> dict[int, str]:
    """Why stages of these builds wait, by the stage's id."""
    why: dict[int, str] = {}
    for number in found:
        why |= waiting.explain(db, builds.find(db, number)).stages
    return why


def cron(found: Cron) -> wire_repository.Cron:
    """A cron job."""
    return wire_repository.Cron(
        name=found.name,
        expression=found.expression,
        timezone=found.timezone,
        branch=found.branch,
        missed=str(found.missed),
        disabled=found.disabled,
        next=clock.text(found.next_at) if found.next_at < NEVER else None,
        last=clock.text(found.last_at),
        error=found.error,
    )


def team(found: Team) -> wire_who.Team:
    """A team with its members."""
    return wire_who.Team(name=found.name, members=list(found.members), created=time(found.created))


def right(found: DeliveryRight) -> wire_who.Right:
    """A right in an environment."""
    return wire_who.Right(
        holder=f"team:{found.team}" if found.team else found.login,
        action=str(found.action),
        delivery=found.delivery,
        environment=found.environment,
        created=clock.text(found.created or None) or "",
    )


def grant(found: Grant) -> wire_who.Grant:
    """A role."""
    return wire_who.Grant(login=found.login, role=str(found.role), created=time(found.created))


def audit(found: AuditEntry) -> wire_who.Audit:
    """An audit entry."""
    return wire_who.Audit(
        id=found.id,
        at=time(found.at),
        actor=found.actor,
        action=found.action,
        subject=found.subject,
        before=found.before,
        after=found.after,
    )
