"""`fairway serve`: HTTP and the application on the real ports of this machine."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import structs

from fairway import __version__
from fairway.api.app import api_app
from fairway.api.hub import Hub
from fairway.api.services import Addresses, Services
from fairway.app import App
from fairway.boot import (
    analysis,
    embedded,
    gitops,
    health,
    machines,
    opening,
    process,
    release,
    rollouts,
)
from fairway.boot import gateway as front
from fairway.boot.clusters import ClusterParts, OwnClusters
from fairway.boot.delivery import ClusterFleet
from fairway.boot.environments import Reach, build_cache, toolbox
from fairway.boot.opening import Opened
from fairway.boot.registry_access import RegistryAccess
from fairway.boot.server import Address, Router, Tls, check_free, serve
from fairway.boot.toolbox import templates
from fairway.cluster.clusters import Clusters
from fairway.cluster.dialing import dial
from fairway.cluster.fleet import Fleet
from fairway.cluster.onlooker import Onlooker
from fairway.docker.bridge import gateway
from fairway.docker.client import Docker
from fairway.docker.daemon import Engine
from fairway.gateway.service import Service
from fairway.image.registry.app import Deps as RegistryDeps
from fairway.image.registry.app import registry_app
from fairway.kit.aio import Wake, blocking
from fairway.kit.net import endpoint
from fairway.pipeline.files import FileSignatures
from fairway.settings import Settings, network_environment
from fairway.source.crons import Crons
from fairway.source.hooks import HookDeps, hooks_app
from fairway.source.hosting import GitDeps, git_app
from fairway.source.remotes import RemoteController, RemoteDeps, Remotes
from fairway.source.repositories import Repositories
from fairway.source.tending import Tender

_LOOPBACK: Final = "127.0.0.1"
_log = logging.getLogger(__name__)


async def run(settings: Settings, holder: str) -> None:
    """Run this process's roles until cancelled."""
    engine = await blocking(machines.engine, settings, _log.info)
    opened = await blocking(opening.open_all, settings)
    docker = Docker(engine.host) if engine else None
    reach = Reach(settings)
    try:
        inside = await _gateway(settings, engine, docker, opened.installation)
        renderer = templates(settings)
        ports = opening.ports(opened, holder=holder, gateway=inside, renderer=renderer)
        fleet = ClusterFleet()
        if "controllers" in settings.roles:
            ports = replace(ports, fleet=fleet, toolbox=toolbox(settings))
        if "runner" in settings.roles:
            owner = opened.installation
            runner = opening.runner_ports(settings, docker, owner, inside, reach=reach)
            ports = replace(ports, runner=runner)
        await _run(App(settings, ports), opened, docker, _Ways(reach, fleet))
    finally:
        if docker is not None:
            docker.close()
        opened.database.close()


class _Ways(NamedTuple):
    """Ways into clusters, which are there before the clusters are."""

    reach: Reach
    fleet: ClusterFleet

    def lead_to(self, clusters: Clusters | None) -> None:
        """Where they lead from now on."""
        self.reach.clusters = clusters
        self.fleet.clusters = clusters


async def _gateway(
    settings: Settings, engine: Engine | None, docker: Docker | None, owner: str
) -> str:
    """Our address on a bridge of our own, where containers of this machine reach us."""
    if engine is None or docker is None or not settings.http.bridge:
        return ""
    return engine.gateway if engine.ours else await gateway(docker, owner)


async def _run(app: App, opened: Opened, docker: Docker | None, ways: _Ways) -> None:
    settings = app.settings
    listens = bool({"server", "git"} & set(settings.roles))
    if listens:
        check_free(addresses(app))  # before we are written down as the one that runs
    remote = RemoteDeps(
        database=opened.database,
        folders=opened.folders,
        announcer=opened.announcer,
        keyring=opened.keyring,
        environment=network_environment(),
    )
    remote_wake = Wake()
    async with asyncio.TaskGroup() as group:
        if docker is not None:
            group.create_task(build_cache(settings, docker).run(), name="build cache")
        if "git" in settings.roles:
            _start_git(group, opened, remote, remote_wake)
        beside = embedded.Beside(settings, app.database, app.tokens)
        served = front.service(settings)
        clusters, known = _start_clusters(group, app, opened, beside, served=served)
        ways.lead_to(known)
        if app.ports.fleet is not None:
            group.create_task(ways.fleet.run(), name="ways into clusters")
        brought = _start_delivery(group, app, opened, served)
        if clusters is not None and brought is not None:
            clusters.app_differences = brought.differences
        if listens:
            router = make_router(app, opened, remote, remote_wake, clusters=clusters)
            beside.listen = partial(_listen_at, router, settings.http.port)
            listening = serve(router, addresses(app), _tls(settings))
            group.create_task(listening, name="http")
        group.create_task(app.run(), name="app")
        if listens:
            ca = settings.http.tls_cert
            process.write_down(settings.data, settings.local_url, __version__, ca=ca)


def _start_delivery(
    group: asyncio.TaskGroup, app: App, opened: Opened, served: Service | None
) -> gitops.Applications | None:
    """What brings releases into clusters, in the role controllers: each runs for itself.

    Returns the applications' part, which the API asks for comparisons.
    """
    releases = release.controller(app, opened)
    if releases is not None:
        group.create_task(releases.run(), name="releases")
    brought = gitops.applications(app, opened)
    if brought is not None:
        group.create_task(brought.run(), name="applications")
    gradual = rollouts.controller(app)
    if gradual is not None:
        group.create_task(gradual.run(), name="rollouts")
    judged = analysis.controller(app, served)
    if judged is not None:
        group.create_task(judged.run(), name="analysis")
    return brought


def _start_clusters(
    group: asyncio.TaskGroup,
    app: App,
    opened: Opened,
    beside: embedded.Beside,
    *,
    served: Service | None,
) -> tuple[ClusterParts | None, Clusters | None]:
    """Embedded clusters, the gateway, what a server has of them and what controllers know of
    them, by this process's roles.
    """
    settings = app.settings
    kept = embedded.fleet(settings, opened.installation, beside)
    if kept is not None:
        group.create_task(kept.run(), name="embedded clusters")
    if served is not None:
        group.create_task(served.run(), name="gateway")
    if "server" not in settings.roles:
        if "controllers" not in settings.roles:
            return None, None
        return None, Clusters(app.database, OwnClusters(settings, kept), dial)
    seen = embedded.onlooker(settings, beside.serve)
    if seen is not None:
        group.create_task(seen.run(), name="clusters of another process")
    clusters = cluster_parts(app, kept, served, seen=seen)
    group.create_task(clusters.run(), name="clusters")
    return clusters, clusters.clusters


def _start_git(
    group: asyncio.TaskGroup, opened: Opened, remote: RemoteDeps, remote_wake: Wake
) -> None:
    """What the role `git` does besides HTTP."""
    group.create_task(remote.announcer.run(), name="refs")
    remotes = RemoteController(remote, remote_wake)
    group.create_task(remotes.run(), name="remotes")
    group.create_task(Tender(opened.database, opened.folders).run(), name="tending")


async def _listen_at(router: Router, port: int, host: str) -> None:
    """Serve on a cluster's bridge, without TLS: what comes there never leaves this machine."""
    await serve(router, [Address(host, port, plain=True)])


def cluster_parts(
    app: App,
    kept: Fleet | None = None,
    served: Service | None = None,
    *,
    seen: Onlooker | None = None,
) -> ClusterParts:
    """What of clusters a server has. `seen`: those that another process of this machine keeps."""
    bridge = app.ports.gateway
    made = ClusterParts(
        app.settings, app.database, app.tokens, embedded=kept or seen, bridge=bridge
    )
    if kept is not None:
        made.parts.append(embedded.parts(kept))
    elif seen is not None:
        made.parts.append(embedded.seen_parts(seen))
    if served is not None:
        made.parts.append(front.parts(served))
        made.traffic = served.traffic
    return made


def make_router(
    app: App,
    opened: Opened,
    remote: RemoteDeps,
    remote_wake: Wake,
    *,
    clusters: ClusterParts | None = None,
) -> Router:
    """Every application of this process's roles."""
    roles = app.settings.roles
    repositories = Repositories(opened.database, opened.folders)
    git = git_app(
        GitDeps(
            database=opened.database,
            tokens=app.tokens,
            folders=opened.folders,
            repositories=repositories,
            announcer=remote.announcer,
            changes=app.changes,
        )
    )
    hooks = hooks_app(HookDeps(database=opened.database, keyring=opened.keyring, wake=remote_wake))
    server = "server" in roles
    made = services(app, repositories, remote, clusters)
    made = structs.replace(made, delivering=release.deps(app, opened))
    return Router(
        api=api_app(made) if server else None,
        registry=registry_app(registry_deps(app, opened)) if server else None,
        git=git if "git" in roles else None,
        hooks=hooks if "git" in roles else None,
    )


def services(
    app: App, repositories: Repositories, remote: RemoteDeps, clusters: ClusterParts | None = None
) -> Services:
    """What the API is made over."""
    return Services(
        database=app.database,
        tokens=app.tokens,
        access=app.access,
        addresses=Addresses(
            external_url=app.settings.external_url,
            registry=app.settings.registry_name,
            version=__version__,
        ),
        builds=app.builds,
        logs=app.logs,
        hub=Hub(app.database),
        secrets=app.secrets,
        dispatch=app.dispatch,
        repositories=repositories,
        changes=app.changes,
        wake=app.wake,
        crons=Crons(app.database, app.cron_wake),
        scanning=app.scanning,
        remotes=Remotes(remote),
        signatures=FileSignatures(app.database, app.ports.keyring),
        keyring=app.ports.keyring,
        clusters=clusters.clusters if clusters else None,
        door=clusters.door if clusters else None,
        parts=clusters.parts if clusters else (),
        traffic=clusters.traffic if clusters else None,
        home_cluster=app.settings.cluster.name,
        app_differences=clusters.app_differences if clusters else None,
        hub_namespace=app.settings.gitops.namespace,
        checks=health.checks(app),
        private_metrics=bool(app.settings.http.listen) or app.settings.http.behind_proxy,
    )


def registry_deps(app: App, opened: Opened) -> RegistryDeps:
    """What the registry is made over."""
    return RegistryDeps(
        db=app.database,
        blobs=app.ports.blobs,
        access=RegistryAccess(app.database, app.tokens),
        key=opened.registry_key,
        behind_proxy=app.settings.http.behind_proxy,
    )


def addresses(app: App) -> list[Address]:
    """Loopback, our own bridge, and what the operator asked for."""
    http = app.settings.http
    found = [Address(_LOOPBACK, http.port)]
    if app.ports.gateway:
        found.append(Address(app.ports.gateway, http.port, plain=True))  # only our containers
    found += [Address(*endpoint(text, http.port)) for text in http.listen]
    first = {(one.host, one.port): one for one in reversed(found)}
    return list(reversed(first.values()))


def _tls(settings: Settings) -> Tls | None:
    if not settings.http.tls_cert:
        return None
    return Tls(Path(settings.http.tls_cert), Path(settings.http.tls_key))
