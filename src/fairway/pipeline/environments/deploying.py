"""Objects applied in a namespace that stays, with the rights of the build's own repository.

Nobody's credentials lie in the pipeline: the cluster is asked as the user `fairway:build:ID` in
the groups `fairway:builds` and `fairway:builds:ORG/NAME`, and its own RBAC decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct

from fairway.kit.aio import background
from fairway.kube import Actor, Kube, Selection, connect
from fairway.kube.kind import POD
from fairway.model.errors import Forbidden
from fairway.pipeline.engine import Sink
from fairway.pipeline.environments.namespace import Asked, NamespaceEnvironments, Reach
from fairway.pipeline.environments.objects_judge import Found
from fairway.pipeline.environments.pod_logs import PodLogs
from fairway.pipeline.environments.settling import Settling, apply_all, settled

BUILDS: Final = "fairway:builds"


class Deployer(Struct, frozen=True):
    """Who asks: a build of a repository."""

    repository: str
    build: int
    allowed: bool  # nothing of a pull request acts for its repository


class Deployments:
    """Applies objects in one cluster."""

    def __init__(self, reach: Reach, environments: NamespaceEnvironments) -> None:
        self._reach = reach
        self._environments = environments

    async def deploy(self, asked: Asked, objects: list[Found], who: Deployer, log: Sink) -> None:
        """Apply `objects` in `asked.name` and wait until they are well.

        Raises `Forbidden` (`deploy-refused`), `BadFile`, `InvalidInput`, `Unavailable`.
        """
        if not who.allowed or not who.repository:
            raise Forbidden(
                "a build of a pull request changes no cluster",
                code="deploy-refused",
                remedy="Let the step run for pushes: `when: {event: [push]}`.",
            )
        await self._environments.reachable(asked.deadline_s, log)
        async with self._as(who) as kube:
            images = await self._environments.images(asked, objects, log)
            there = await kube.list(POD, Selection(namespace=asked.name))
            before = frozenset(str(pod["metadata"]["name"]) for pod in there)
            applied = await apply_all(kube, asked.name, objects, images)
            words = ", ".join(f"{one['kind']} {one['metadata']['name']}" for one in applied)
            await log(f"[fairway] applied in {asked.name}: {words}\n".encode())
            logs = PodLogs(kube, asked.name, _nowhere, since_s=1, skip=before)
            async with background(logs.run()):
                one = Settling(kube, asked.name, applied, asked.deadline_s, before)
                await settled(one, log=log, last=logs.last)

    @asynccontextmanager
    async def _as(self, who: Deployer) -> AsyncIterator[Kube]:
        actor = Actor(
            manager="fairway-apply",
            user=f"fairway:build:{who.build}",
            groups=(BUILDS, f"{BUILDS}:{who.repository}"),
        )
        kube = await connect(await self._reach(), actor)
        try:
            yield kube
        finally:
            await kube.close()


async def _nowhere(_data: bytes) -> None:
    """What pods that stay say is their own; only the words of one that fails are shown."""
