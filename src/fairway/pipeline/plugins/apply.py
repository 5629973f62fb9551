"""`fairway/apply`: applies Kubernetes objects with the rights of the build's own repository."""

from __future__ import annotations

from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.environments.deploying import Deployer, Deployments
from fairway.pipeline.environments.namespace import Asked
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins.objects import Objects, deadline, one_kind
from fairway.pipeline.plugins.settings import Settings


class ApplyPlugin:
    """Applies what the step's settings name, and waits until it is well."""

    def __init__(self, deployments: Deployments | None, objects: Objects) -> None:
        self._deployments = deployments
        self._objects = objects

    async def run(self, job: Job) -> PluginEnd:
        """Raises as `Deployments.deploy`."""
        settings = Settings(job.environment)
        if self._deployments is None:
            raise Unavailable(
                "this runner has no cluster to apply anything in",
                code="environment-no-cluster",
                remedy="A runner alone has none: take one beside the role server or controllers,"
                " by a `node` label.",
            )
        namespace = settings.text("namespace")
        if not namespace:
            raise InvalidInput(
                "the setting `namespace` is missing: it says where the objects go",
                code="plugin-setting",
            )
        asked = Asked(
            key=job.stage,
            owner=job.owner,
            name=namespace,
            trusted=job.trusted,
            images=settings.pairs("images"),
            deadline_s=deadline(settings),
            registry=job.registry,
            auths=job.auths,
            built=job.built,
        )
        kind = one_kind(settings, ("manifests", "chart"))
        objects = await self._objects.read(job, settings, kind=kind, namespace=namespace)
        who = Deployer(job.repository, job.build, job.deploys)
        await self._deployments.deploy(asked, objects, who, job.log)
        return PluginEnd()
