"""Helm charts and kustomizations of a repository as objects, by the toolbox."""

from __future__ import annotations

from pathlib import Path

from fairway.native.helm import HelmTemplate, Kustomize
from fairway.native.toolbox import Toolbox
from fairway.pipeline.environments.objects_judge import Found
from fairway.pipeline.environments.rendered import parse


class Charts:
    """Renders what lies in a folder; nothing outside of it is read, nothing is fetched."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def chart(
        self,
        folder: Path,
        chart: str,
        *,
        namespace: str,
        value_files: tuple[str, ...],
        values: tuple[str, ...],
    ) -> list[Found]:
        """What `helm template` makes of `chart`; hooks and tests are left out.

        Raises `InvalidInput` with the chart's own words.
        """
        request = HelmTemplate(
            chart=chart,
            release=Path(chart).name or "environment",
            namespace=namespace,
            value_files=value_files,
            values=values,
            no_hooks=True,
            skip_tests=True,
        )
        made = await self._toolbox.ask(request, folder=folder)
        return parse(made.manifest, chart)

    async def kustomization(self, folder: Path, path: str) -> list[Found]:
        """What `kustomize build` makes of `path`. Raises `InvalidInput`."""
        made = await self._toolbox.ask(Kustomize(path=path), folder=folder)
        return parse(made.manifest, path)
