"""`fairway/environment`: a test environment that lives as long as the pipeline's stage.

The step stays while later steps run: its log is the environment's. It is removed with the stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.engines.spec import network_name, stem
from fairway.pipeline.environments.charts import Charts
from fairway.pipeline.environments.compose import ComposeEnvironments
from fairway.pipeline.environments.copies import inside
from fairway.pipeline.environments.model import project_name
from fairway.pipeline.environments.namespace import Asked, NamespaceEnvironments, namespace_name
from fairway.pipeline.environments.objects_judge import Found
from fairway.pipeline.environments.rendered import read
from fairway.pipeline.environments.wanted import Wanted, seconds
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins.settings import Settings

_KINDS: Final = ("compose", "manifests", "chart")
_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_USUAL_S: Final = 300.0


class EnvironmentPlugin:
    """Starts what the step's settings name."""

    def __init__(
        self,
        compose: ComposeEnvironments | None,
        namespaces: NamespaceEnvironments | None = None,
        charts: Charts | None = None,
    ) -> None:
        self._compose = compose
        self._namespaces = namespaces
        self._charts = charts

    async def run(self, job: Job) -> PluginEnd:
        """Start it, and stay until cancelled. Raises as `ComposeEnvironments.run`."""
        settings = Settings(job.environment)
        kinds = [kind for kind in _KINDS if settings.text(kind)]
        if len(kinds) != 1:
            raise InvalidInput(
                "the settings name no test environment" if not kinds else
                f"the settings name {' and '.join(kinds)}: one of them makes an environment",
                code="plugin-setting",
                remedy="Write one of `compose: FILE`, `manifests: FOLDER`, `chart: FOLDER`.",
            )  # fmt: skip
        if kinds == ["compose"]:
            await self._composed(job, settings)
        else:
            await self._in_cluster(job, settings, kind=kinds[0])
        return PluginEnd()

    async def _in_cluster(self, job: Job, settings: Settings, *, kind: str) -> None:
        if self._namespaces is None:
            raise Unavailable(
                "this runner has no cluster to make a namespace in",
                code="environment-no-cluster",
                remedy="`fairway doctor` says why; a Compose file needs none: `compose: FILE`.",
            )
        path = await blocking(existing, job, settings.text(kind), kind)
        asked = in_namespace(job, settings)
        values = tuple(settings.items("values"))
        given = tuple(f"{name}={text}" for name, text in settings.pairs("set").items())
        refuse_unknown(settings)
        objects = await self._objects(job, path, kind=kind, values=values, given=given, asked=asked)
        await self._namespaces.run(asked, objects, job.log, job.up)

    async def _objects(
        self,
        job: Job,
        path: Path,
        *,
        kind: str,
        values: tuple[str, ...],
        given: tuple[str, ...],
        asked: Asked,
    ) -> list[Found]:
        below = str(path.relative_to(job.tree))
        if kind == "chart":
            files = [await blocking(existing, job, file, "values") for file in values]
            return await self._need_charts().chart(
                job.tree,
                below,
                namespace=asked.name,
                value_files=tuple(str(file.relative_to(job.tree)) for file in files),
                values=given,
            )
        if values or given:
            raise InvalidInput("`values` and `set` are a chart's", code="plugin-setting")
        if await blocking(_is_kustomization, path):
            return await self._need_charts().kustomization(job.tree, below)
        return await blocking(read, path, root=job.tree, confined=not job.trusted)

    def _need_charts(self) -> Charts:
        if self._charts is None:
            raise Unavailable(
                "this runner has no toolbox to render charts with", code="native-missing"
            )
        return self._charts

    async def _composed(self, job: Job, settings: Settings) -> None:
        if self._compose is None:
            raise Unavailable(
                "this runner has no Docker Engine for a Compose file", code="docker-unavailable"
            )
        wanted = await blocking(composed, job, settings)
        refuse_unknown(settings)
        await self._compose.run(wanted, job.log, job.up)


def composed(job: Job, settings: Settings) -> Wanted:
    """What a step asks for. Raises `InvalidInput` (`plugin-setting`)."""
    publish = settings.flag("publish")
    if publish and not job.trusted:
        raise InvalidInput(
            "the setting `publish` is for trusted repositories only: it opens ports of the machine",
            code="untrusted",
        )
    project = project_name(f"{stem(job.stage)}-{job.number}")
    return Wanted(
        key=job.stage,
        owner=job.owner,
        project=project,
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


def _is_kustomization(path: Path) -> bool:
    return any((path / name).is_file() for name in _KUSTOMIZATIONS)


def existing(job: Job, path: str, setting: str) -> Path:
    """A file or folder of the workspace by the path that the step's container would use."""
    base = job.environment.get("DRONE_WORKSPACE", "")
    inner = path[len(base) :] if base and path.startswith(f"{base.rstrip('/')}/") else path
    found = Path(job.tree, inner.lstrip("/") if inner != path else inner)
    if not job.trusted and not inside(job.workspace, str(found)):
        raise InvalidInput(
            f"`{setting}: {path}` leads out of the workspace", code="environment-file"
        )
    if not found.exists():
        raise InvalidInput(
            f"`{setting}: {path}`: the repository has no such file", code="environment-file"
        )
    return found


def deadline(settings: Settings) -> float:
    """How long everything may take to be well, in seconds."""
    text = settings.text("timeout")
    if not text:
        return _USUAL_S
    found = seconds(text)
    if not found:
        raise InvalidInput(
            f"the setting `timeout` is '{text}', which is no time",
            code="plugin-setting",
            remedy="Write it like 90s, 5m or 1h30m.",
        )
    return found


def refuse_unknown(settings: Settings) -> None:
    """A setting that nothing has read is a mistake. Raises `InvalidInput`."""
    unknown = settings.unknown()
    if unknown:
        raise InvalidInput(
            f"fairway/environment has no setting `{unknown[0]}`", code="plugin-setting"
        )
