"""A service's chart as a release has it: version and digest filled in, linted, tested, packed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kit import yaml
from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput
from fairway.native.helm import HelmLint, HelmPackage, HelmPackaged, HelmTemplate, merged
from fairway.native.toolbox import Toolbox
from fairway.release import chart_tests
from fairway.release.chart_tests import Asked, Document

CHART: Final = "chart"
INSTALL_VALUES: Final = "ci/install-values.yaml"
_TESTS: Final = "tests/"
_SUFFIXES: Final = ("_test.yaml", "_test.yml")
Json = dict[str, Any]


class Chart:
    """A chart in a folder of its own. `files`: by path in the chart."""

    def __init__(self, toolbox: Toolbox, folder: Path, files: Mapping[str, bytes]) -> None:
        self._toolbox = toolbox
        self._folder = folder
        self.files = files

    @property
    def config(self) -> Json:
        """What Chart.yaml says, as the registry's config blob has it."""
        found = yaml.load(self.files["Chart.yaml"].decode(), name="Chart.yaml")
        return found if isinstance(found, dict) else {}

    async def lint(self) -> list[str]:
        """What `helm lint` finds wrong."""
        answer = await self._toolbox.ask(HelmLint(chart=CHART), folder=self._folder)
        if answer.passed:
            return []
        return [f"{one.place}: {one.message}" for one in answer.messages if one.severity == "error"]

    async def test(self) -> list[str]:
        """What of the chart's own tests fails. Raises `BadFile` for a file that is no test."""
        failures: list[str] = []
        for path, data in sorted(self.files.items()):
            if path.startswith(_TESTS) and path.endswith(_SUFFIXES):
                suite = chart_tests.read(data.decode("utf-8", "replace"), path)
                failures += [f"{path}: {one}" for one in await chart_tests.run(suite, self._render)]
        return failures

    async def _render(self, asked: Asked) -> Sequence[Document]:
        sets = tuple(
            f"{path}={msgspec.json.encode(value).decode()}" for path, value in asked.set.items()
        )
        request = HelmTemplate(
            chart=CHART,
            release=asked.release.name,
            namespace=asked.release.namespace,
            value_files=tuple(f"{CHART}/{_TESTS}{name}" for name in asked.values),
            json_values=sets,
            include_crds=True,
            objects=True,
        )
        answer = await self._toolbox.ask(request, folder=self._folder)
        return [Document(one.source, one.object) for one in answer.objects]

    async def objects(
        self,
        *,
        release: str,
        namespace: str,
        values: Mapping[str, Any] | None = None,
        files: tuple[str, ...] = (),
    ) -> list[Json]:
        """What `helm template` makes of it, without hooks and tests. Raises `InvalidInput`."""
        request = HelmTemplate(
            chart=CHART,
            release=release,
            namespace=namespace,
            value_files=tuple(f"{CHART}/{name}" for name in files),
            json_values=merged((values,) if values else (), ()),
            include_crds=True,
            no_hooks=True,
            skip_tests=True,
            objects=True,
        )
        answer = await self._toolbox.ask(request, folder=self._folder)
        return [one.object for one in answer.objects]

    async def pack(self, version: str, *, at: int) -> HelmPackaged:
        """The archive; the same chart, version and time (milliseconds UTC) give the same bytes."""
        request = HelmPackage(chart=CHART, version=version, app_version=version, time=at // 1000)
        return await self._toolbox.ask(request, folder=self._folder)


@asynccontextmanager
async def opened(toolbox: Toolbox, files: Mapping[str, bytes]) -> AsyncIterator[Chart]:
    """A chart's files as a chart, for the block."""
    with tempfile.TemporaryDirectory(prefix="fairway-chart-") as folder:
        await blocking(_write, Path(folder) / CHART, files)
        yield Chart(toolbox, Path(folder), files)


@asynccontextmanager
async def unpacked(toolbox: Toolbox, archive: bytes) -> AsyncIterator[Chart]:
    """A chart's archive as a chart, for the block: helm reads archives as they are."""
    with tempfile.TemporaryDirectory(prefix="fairway-chart-") as folder:
        await blocking((Path(folder) / CHART).write_bytes, archive)
        yield Chart(toolbox, Path(folder), {})


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()):
            raise InvalidInput(f"{name!r} leads out of the chart", code="bad-path", where=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Checked(Struct, frozen=True, kw_only=True):
    """What a chart's checks found; empty when it is well."""

    lint: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"the chart's lint: {one}" for one in self.lint]
        parts += [f"the chart's tests: {one}" for one in self.tests]
        return "; ".join(parts)


async def check(chart: Chart) -> Checked:
    """Lint and test a chart; its tests are not run when its lint fails."""
    lint = await chart.lint()
    return Checked(lint=tuple(lint), tests=() if lint else tuple(await chart.test()))
