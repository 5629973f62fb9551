"""The Kubernetes objects that a step's settings name: manifests, a kustomization, or a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.environments.charts import Charts
from fairway.pipeline.environments.copies import inside
from fairway.pipeline.environments.objects_judge import Found
from fairway.pipeline.environments.rendered import read
from fairway.pipeline.environments.wanted import seconds
from fairway.pipeline.plugin import Job
from fairway.pipeline.plugins.settings import Settings

_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_USUAL_S: Final = 300.0


class Objects:
    """Reads them from the repository; nothing outside of the workspace is read."""

    def __init__(self, charts: Charts | None) -> None:
        self._charts = charts

    async def read(self, job: Job, settings: Settings, *, kind: str, namespace: str) -> list[Found]:
        """The objects; `kind` is the setting: manifests or chart. Raises `InvalidInput`, `BadFile`.

        Every setting must have been asked for: one that nobody knows is refused.
        """
        path = await blocking(existing, job, settings.text(kind), kind)
        values = tuple(settings.items("values"))
        given = tuple(f"{name}={text}" for name, text in settings.pairs("set").items())
        refuse_unknown(job, settings)
        below = str(path.relative_to(job.tree))
        if kind == "chart":
            files = [await blocking(existing, job, file, "values") for file in values]
            return await self._need_charts().chart(
                job.tree,
                below,
                namespace=namespace,
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


def _is_kustomization(path: Path) -> bool:
    return any((path / name).is_file() for name in _KUSTOMIZATIONS)


def existing(job: Job, path: str, setting: str) -> Path:
    """A file or folder of the workspace by the path that the step's container would use."""
    base = job.environment.get("DRONE_WORKSPACE", "")
    inner = path[len(base) :] if base and path.startswith(f"{base.rstrip('/')}/") else path
    found = Path(job.tree, inner.lstrip("/") if inner != path else inner)
    if not (found.is_relative_to(job.tree) and ".." not in found.parts) or (
        not job.trusted and not inside(job.workspace, str(found))
    ):
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


def refuse_unknown(job: Job, settings: Settings) -> None:
    """A setting that nothing has read is a mistake. Raises `InvalidInput`."""
    unknown = settings.unknown()
    if unknown:
        raise InvalidInput(f"{job.image} has no setting `{unknown[0]}`", code="plugin-setting")


def one_kind(settings: Settings, kinds: tuple[str, ...]) -> str:
    """Which of these settings is given. Raises `InvalidInput` unless it is just one."""
    given = [kind for kind in kinds if settings.text(kind)]
    if len(given) != 1:
        said = f"the settings name {' and '.join(given)}" if given else "the settings name nothing"
        raise InvalidInput(
            f"{said}: just one of {', '.join(kinds)} says what is meant", code="plugin-setting"
        )
    return given[0]
