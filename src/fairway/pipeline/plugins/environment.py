"""`fairway/environment`: a test environment that lives as long as the pipeline's stage.

The step stays while later steps run: its log is the environment's. It is removed with the stage.
"""

from __future__ import annotations

from typing import Final

from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.engines.spec import network_name, stem
from fairway.pipeline.environments.compose import ComposeEnvironments
from fairway.pipeline.environments.model import project_name
from fairway.pipeline.environments.namespace import Asked, NamespaceEnvironments, namespace_name
from fairway.pipeline.environments.wanted import Wanted
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins.objects import Objects, deadline, existing, one_kind, refuse_unknown
from fairway.pipeline.plugins.settings import Settings

_KINDS: Final = ("compose", "manifests", "chart")


class EnvironmentPlugin:
    """Starts what the step's settings name."""

    def __init__(
        self,
        compose: ComposeEnvironments | None,
        namespaces: NamespaceEnvironments | None,
        objects: Objects,
    ) -> None:
        self._compose = compose
        self._namespaces = namespaces
        self._objects = objects

    async def run(self, job: Job) -> PluginEnd:
        """Start it, and stay until cancelled. Raises as `ComposeEnvironments.run`."""
        settings = Settings(job.environment)
        await _tell_companions(job, settings.items("realistic"))
        kind = one_kind(settings, _KINDS)
        if kind == "compose":
            await self._composed(job, settings)
        else:
            await self._in_cluster(job, settings, kind=kind)
        return PluginEnd()

    async def _composed(self, job: Job, settings: Settings) -> None:
        if self._compose is None:
            raise Unavailable(
                "this runner has no Docker Engine for a Compose file", code="docker-unavailable"
            )
        wanted = await blocking(composed, job, settings)
        refuse_unknown(job, settings)
        await self._compose.run(wanted, job.log, job.up)

    async def _in_cluster(self, job: Job, settings: Settings, *, kind: str) -> None:
        if self._namespaces is None:
            raise Unavailable(
                "this runner has no cluster to make a namespace in",
                code="environment-no-cluster",
                remedy="A runner alone has none: take one beside the role server or controllers,"
                " by a `node` label. A Compose file needs none: `compose: FILE`.",
            )
        asked = in_namespace(job, settings)
        objects = await self._objects.read(job, settings, kind=kind, namespace=asked.name)
        await self._namespaces.run(asked, objects, job.log, job.up)


async def _tell_companions(job: Job, names: list[str]) -> None:
    """Say what of production runs here; what they are was decided when the build was made."""
    for name in names:
        path = job.built.get(name)
        words = f"{name} runs as {path}" if path else f"nothing is known here of {name}"
        await job.log(f"[fairway] realistic: {words}\n".encode())


def composed(job: Job, settings: Settings) -> Wanted:
    """What a step asks for. Raises `InvalidInput` (`plugin-setting`)."""
    publish = settings.flag("publish")
    if publish and not job.trusted:
        raise InvalidInput(
            "the setting `publish` is for trusted repositories only: it opens ports of the machine",
            code="untrusted",
        )
    return Wanted(
        key=job.stage,
        owner=job.owner,
        project=project_name(f"{stem(job.stage)}-{job.number}"),
        tree=job.tree,
        workspace=job.workspace,
        files=tuple(existing(job, path, "compose") for path in settings.items("compose")),
        profiles=tuple(settings.items("profiles")),
        env_files=tuple(existing(job, path, "env_file") for path in settings.items("env_file")),
        services=tuple(settings.items("services")),
        environment={**job.environment, **settings.pairs("environment")},
        images=settings.pairs("images"),
        trusted=job.trusted,
        publish=publish,
        network=network_name(job.stage),
        taken=job.taken,
        deadline_s=deadline(settings),
        registry=job.registry,
        auths=job.auths,
        built=job.built,
    )


def in_namespace(job: Job, settings: Settings) -> Asked:
    """The namespace that a step asks for."""
    return Asked(
        key=job.stage,
        owner=job.owner,
        name=namespace_name(job.stage, job.number),
        trusted=job.trusted,
        images=settings.pairs("images"),
        deadline_s=deadline(settings),
        registry=job.registry,
        auths=job.auths,
        built=job.built,
    )
