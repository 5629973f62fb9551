"""Releases and promotions as the wire shows them. Pure."""

from __future__ import annotations

from fairway.api.shown import time
from fairway.client.wire import release as wire
from fairway.kit import clock
from fairway.model.release import Release
from fairway.release.dora import Figures
from fairway.release.showing import Running, Shown


def release(one: Release) -> wire.Release:
    """A release."""
    return wire.Release(
        id=one.id,
        delivery=one.delivery,
        service=one.service,
        version=one.version,
        state=one.state,
        digest=one.digest,
        image=one.image,
        chart=one.chart,
        chart_digest=one.chart_digest,
        repository=one.repository,
        build=one.build,
        revision=one.revision,
        since=one.since,
        changes=[
            wire.Commit(sha=each.sha, at=time(each.at), subject=each.subject, author=each.author)
            for each in one.changes
        ],
        author=one.author,
        problem=one.problem,
        commit=one.commit,
        created=time(one.created),
        published=clock.text(one.published),
    )


def promotion(one: Shown) -> wire.Promotion:
    """A promotion."""
    found = one.promotion
    return wire.Promotion(
        id=found.id,
        delivery=found.delivery,
        service=found.service,
        environment=found.environment,
        version=one.release.version,
        kind=found.kind,
        state=found.state,
        step=found.step if found.state == "running" else "",
        digest=one.release.digest,
        revision=one.release.revision,
        previous=one.previous.version if one.previous else "",
        actor=found.actor,
        why=found.why,
        message=found.message,
        waits=list(found.waits),
        bad=found.bad,
        commit=found.commit,
        approvals=[
            wire.Approval(
                kind=each.kind,
                login=each.login,
                verdict=each.verdict,
                comment=each.comment,
                at=time(each.at),
            )
            for each in one.approvals
        ],
        created=time(found.created),
        started=clock.text(found.started),
        traffic=clock.text(found.traffic),
        full=clock.text(found.full),
        ended=clock.text(found.ended),
    )


def environment(one: Running) -> wire.Environment:
    """One service in one environment."""
    now, newest = one.now, one.newest
    return wire.Environment(
        environment=one.environment.name,
        delivery=one.delivery.name,
        service=one.service,
        cluster=one.environment.cluster,
        application=one.environment.application_of(one.service),
        version=one.release.version if one.release else "",
        digest=one.release.digest if one.release else "",
        revision=one.release.revision if one.release else "",
        since=clock.text((now.full or now.ended) if now else None),
        by=(now.actor or "fairway") if now else "",
        state=newest.state if newest else "",
        next=one.on_its_way.version if one.on_its_way else "",
        waits=list(newest.waits) if newest else [],
        message=newest.message if newest else "",
        good=[each.version for each in one.good],
    )


def dora(found: Figures, environment: str, *, days: float, service: str) -> wire.Dora:
    """Figures, in seconds."""
    return wire.Dora(
        environment=environment,
        days=days,
        service=service,
        deployments=found.deployments,
        per_day=found.per_day,
        changes=found.changes,
        lead_time_p50=_seconds(found.lead_time_p50),
        lead_time_p90=_seconds(found.lead_time_p90),
        settled=found.settled,
        failed=found.failed,
        caught=found.caught,
        failure_rate=found.failure_rate,
        recovery_p50=_seconds(found.recovery_p50),
        reworked=found.reworked,
        rework_rate=found.rework_rate,
    )


def _seconds(value: float | None) -> float | None:
    return None if value is None else value / 1000
