"""Test environments of this machine, made from settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fairway.boot.local import toolbox_server
from fairway.cluster import kubeconfig
from fairway.cluster.clusters import Clusters
from fairway.docker.client import Docker
from fairway.image.build import Builder
from fairway.image.cache import BuildCache
from fairway.kit.aio import blocking
from fairway.kube import Connection, from_kubeconfig
from fairway.model.errors import Unavailable
from fairway.model.image import Rewrite
from fairway.native import programs
from fairway.native.toolbox import Toolbox
from fairway.pipeline.environments.charts import Charts
from fairway.pipeline.environments.compose import ComposeEnvironments
from fairway.pipeline.environments.confined import ConfinedResolver
from fairway.pipeline.environments.deploying import Deployments
from fairway.pipeline.environments.namespace import NamespaceEnvironments
from fairway.pipeline.environments.provide import Provider, Rules
from fairway.pipeline.environments.remains import EnvironmentRemains
from fairway.pipeline.environments.resolve import ComposeResolver, Program
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.plugins.apply import ApplyPlugin
from fairway.pipeline.plugins.environment import EnvironmentPlugin
from fairway.pipeline.plugins.objects import Objects
from fairway.settings import Settings, ca_bundle, proxy_environment

_POLL_S: Final = 1.0


class Reach:
    """The way into the installation's own cluster, once there is one."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.cluster.name
        self.clusters: Clusters | None = None

    async def __call__(self) -> Connection:
        """Raises `Unavailable` with the reason."""
        if self.clusters is None:
            raise Unavailable(
                "this process knows no cluster",
                code="environment-no-cluster",
                remedy="`fairway doctor` says why there is none here.",
            )
        target = await self.clusters.target(self._name)
        return from_kubeconfig(kubeconfig.written(self._name, target))


def environment_plugins(
    settings: Settings,
    docker: Docker,
    reach: Reach | None,
    namespaces: NamespaceEnvironments | None,
) -> dict[str, Plugin]:
    """The plugins `fairway/environment` and `fairway/apply`."""
    objects = Objects(Charts(toolbox(settings)))
    deployments = None
    if reach is not None and namespaces is not None:
        deployments = Deployments(reach, namespaces)
    return {
        "environment": EnvironmentPlugin(
            compose_environments(settings, docker), namespaces, objects
        ),
        "apply": ApplyPlugin(deployments, objects),
    }


def toolbox(settings: Settings) -> Toolbox:
    """The toolbox of this data directory."""
    return Toolbox(toolbox_server(settings))


def namespace_environments(
    settings: Settings, docker: Docker, reach: Reach, owner: str
) -> NamespaceEnvironments:
    """Environments in the installation's own cluster."""
    return NamespaceEnvironments(reach, provider(settings, docker), owner=owner)


def provider(settings: Settings, docker: Docker) -> Provider:
    """What images are here, by the operator's rules."""
    rules = Rules(
        rewrites=tuple(Rewrite(*item) for item in settings.pipeline.images.items()),
        proxies=proxy_environment(),
        ca_bundle=ca_bundle(),
    )
    return Provider(docker, Builder(docker), rules)


def compose_environments(settings: Settings, docker: Docker) -> ComposeEnvironments:
    """Environments of Compose files on an engine."""
    program = compose_program(settings)
    return ComposeEnvironments(
        docker,
        program,
        provider(settings, docker),
        trusting=ComposeResolver(program),
        confined=ConfinedResolver(toolbox(settings), program),
        root=settings.data / "environments",
    )


def build_cache(settings: Settings, docker: Docker) -> BuildCache:
    """What keeps the Engine's build cache within its age and size."""
    kept = settings.retention
    return BuildCache(docker, most_bytes=kept.build_cache_bytes, days=kept.build_cache_days)


def environment_remains(
    settings: Settings, docker: Docker | None, owner: str
) -> tuple[EnvironmentRemains, ...]:
    """What clears away after environments. `owner`: as it marks things in the engine."""
    if docker is None:
        return ()
    return (EnvironmentRemains(docker, settings.data / "environments", owner=owner),)


def compose_program(settings: Settings) -> Program:
    """Docker Compose of ours; waits where a build of it is under way."""

    async def find(told: Callable[[str], Awaitable[None]]) -> Path:
        said = ""
        while True:
            try:
                return (await blocking(programs.find, settings.native.dir)).compose
            except Unavailable as error:
                if not await blocking(programs.progress):
                    raise
                if not said:  # how far it is changes all the time, and is nobody's log
                    said = str(error)
                    await told(f"{said}; the environment starts when they are there")
            await asyncio.sleep(_POLL_S)

    return find
