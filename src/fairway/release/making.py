"""A pending release's chart: filled in, checked, installed, committed, published.

Every step may be done again; a failed chart publishes nothing and changes nothing in Git.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from msgspec import structs
from sqlalchemy import Connection

from fairway.kube.fleet import find
from fairway.kube.kind import Kind
from fairway.model.errors import (
    Conflict,
    FairwayError,
    InvalidInput,
    NotFound,
    Unavailable,
)
from fairway.model.events import ReleaseCreated
from fairway.model.release import Release, ReleaseState, Service
from fairway.release import charts, git_places, installing, names, writing
from fairway.release.charts import Chart
from fairway.release.ports import Deps, Place
from fairway.release.spec import Delivery, Environment
from fairway.store import outbox, releases

APPLICATION: Final = Kind("argoproj.io", "v1alpha1", "applications", "Application")
_TRIES: Final = 10
_log = logging.getLogger(__name__)


async def publish(deps: Deps, delivery: Delivery, release: Release) -> None:
    """Bring a pending release's chart into the first environment's part of the registry.

    What will not get better by itself fails the release; raises what may be tried again.
    """
    service = delivery.service(release.service)
    if service is None:
        await _fail(deps, release, f"the delivery has no service {release.service} any more")
        return
    try:
        await _publish(deps, delivery, service, release)
    except FairwayError as error:
        if error.retriable:
            await deps.database.write(releases.note, release.id, str(error))
            raise
        await _fail(deps, release, str(error))


async def _publish(deps: Deps, delivery: Delivery, service: Service, release: Release) -> None:
    place = await deps.code.find(service.repository)
    files = await deps.code.files(place, release.revision, service.chart)
    changed = writing.chart_files(files, service, version=release.version, digest=release.digest)
    first = delivery.environments[0]
    async with charts.opened(deps.toolbox, {**files, **changed}) as chart:
        found = await charts.check(chart)
        if str(found):
            raise InvalidInput(str(found), code="chart-failed")
        await _install(deps, delivery, chart, service=service, release=release)
        commit = await _commit(deps, place, service, release)
        packed = await chart.pack(release.version, at=_time_of(release))
        config = {**chart.config, "version": release.version, "appVersion": release.version}
        name = packed.chart.name
        target = names.charts(first, name)
        digest = await deps.shelf.put_chart(target, release.version, packed.data, config)
    await deps.shelf.copy(
        release.image, release.digest, names.image(first, service), version=release.version
    )
    done = structs.replace(release, chart=name, chart_digest=digest, commit=commit)
    await deps.database.write(_published, done)


def _time_of(release: Release) -> int:
    """The time of the files in the chart's archive: the commit's, so that it is repeatable."""
    return next((one.at for one in release.changes if one.sha == release.revision), 0)


async def _install(
    deps: Deps, delivery: Delivery, chart: Chart, *, service: Service, release: Release
) -> None:
    """Into a namespace of the first cluster, with the first environment's configuration."""
    environment = delivery.environments[0]
    beside = await _beside(deps, environment, service, str(chart.config.get("name", "")))
    kube = find(deps.fleet, name=environment.cluster).client()
    files = (charts.INSTALL_VALUES,) if charts.INSTALL_VALUES in chart.files else ()
    objects = await chart.objects(release=service.name, namespace=beside or "default", files=files)
    image = f"{deps.registry}/{release.image}@{release.digest}"
    await installing.install(
        kube,
        f"{deps.registry}/{release.delivery}/{release.service}",
        [installing.pointed(obj, image) for obj in objects],
        beside=beside,
        deadline_s=deps.install_s,
    )


async def _beside(deps: Deps, environment: Environment, service: Service, chart: str) -> str:
    """The namespace that Git names for a service; what Git lacks is waited for."""
    try:
        return (await git_places.look(deps, environment, service, chart)).found.namespace
    except NotFound as error:
        raise Unavailable(
            f"{environment.name} has no configuration of {service.name} yet: {error}",
            code="configuration-awaited",
            remedy=error.remedy,
        ) from error


async def destination(deps: Deps, application: str) -> str:
    """The namespace that an Application deploys into; "" while there is no such Application."""
    hub = find(deps.fleet, name="in-cluster").client()
    found = await hub.find(APPLICATION, application, deps.hub_namespace)
    spec: Mapping[str, object] = (found or {}).get("spec") or {}
    target = spec.get("destination")
    return str(target.get("namespace") or "") if isinstance(target, Mapping) else ""


async def _commit(deps: Deps, place: Place, service: Service, release: Release) -> str:
    """Version and digest into the chart on the default branch, whatever came there meanwhile."""
    message = writing.Message(
        delivery=release.delivery,
        service=release.service,
        kind="release",
        version=release.version,
        digest=release.digest,
    )
    for left in reversed(range(_TRIES)):
        head = await deps.code.head(place, place.branch)
        files = await deps.code.files(place, head, service.chart)
        changed = writing.chart_files(
            files, service, version=release.version, digest=release.digest
        )
        changes = {f"{service.chart}/{name}": data for name, data in changed.items()}
        if not changes:
            return head
        try:
            return await deps.code.commit(
                place, place.branch, changes, message=message.text(), expected=head
            )
        except Conflict as error:
            if error.code != "ref-moved" or not left:
                raise
    raise AssertionError("unreachable")


async def _fail(deps: Deps, release: Release, problem: str) -> None:
    _log.warning("%s %s is not released: %s", release.service, release.version, problem)
    await deps.database.write(_failed, release, problem)


def _failed(db: Connection, release: Release, problem: str) -> None:
    if releases.failed(db, release.id, problem):
        _tell(db, release, ReleaseState.FAILED, problem)


def _published(db: Connection, release: Release) -> None:
    done = releases.published(
        db,
        release.id,
        commit=release.commit,
        chart=release.chart,
        chart_digest=release.chart_digest,
    )
    if done:
        _tell(db, release, ReleaseState.PUBLISHED, "")


def _tell(db: Connection, release: Release, state: ReleaseState, problem: str) -> None:
    event = ReleaseCreated(
        delivery=release.delivery,
        service=release.service,
        release=release.id,
        version=release.version,
        digest=release.digest,
        revision=release.revision,
        state=state,
        repository=release.repository,
        build=release.build,
        problem=problem,
    )
    outbox.append(db, event, key=f"release/{release.id}/{state}")
