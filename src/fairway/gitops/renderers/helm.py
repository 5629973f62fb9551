"""Helm charts, rendered as Argo CD has `helm template` render them.

Parameters win over `valuesObject`, that over `values` (of the two only one counts), those over
value files, of which the later one wins. Hooks stay objects with their annotations; `lookup` finds
nothing, and every rendering is an installation.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from fairway.gitops.objects import Json, SourceType
from fairway.gitops.renderer import Files, Job, expanded, followed, joined
from fairway.gitops.renderers.exporting import exported
from fairway.gitops.source import Helm, Tree
from fairway.kit import yaml
from fairway.model.commit import TreeEntry
from fairway.model.errors import InvalidInput, NotFound
from fairway.native.helm import HelmTemplate
from fairway.native.toolbox import Toolbox

_HERE: Final = "spec.source.helm"
_EXTRA: Final = "values.yaml"
_COMMA: Final = re.compile(r"(?<!\\),")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_VERSION: Final = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)(?:[-+].*)?")
_LONGEST: Final = 53  # of a release's name


class Chart:
    """A chart's folder."""

    kind: SourceType = "Helm"

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def needs(self, tree: Tree, job: Job) -> list[TreeEntry]:
        """The chart, its neighbours that it depends on by `file://`, and value files elsewhere."""
        helm = job.source.helm or Helm()
        _check(helm)
        found = {one.path: one for one in await tree.below(job.path)}
        for folder in await _neighbours(tree, found, job.path):
            found.update({one.path: one for one in await tree.below(folder)})
        outside = [path for path in _named(job, helm) if path not in found]
        found.update(await tree.entries(outside))
        return await followed(tree, found.values())

    def render(self, files: Files, job: Job) -> list[Json]:
        """All objects, hooks and (unless they are skipped) definitions of resources too."""
        helm = job.source.helm or Helm()
        there = {one.path for one in files.entries}
        extra = _extra(helm)
        value_files = [f"source/{path}" for path in _value_files(job, helm, there)]
        asked = HelmTemplate(
            chart=posixpath.join("source", job.path),
            release=_release(job, helm),
            namespace=helm.namespace or job.destination.namespace,
            value_files=(*value_files, *extra),
            values=_settings(job, helm, strings=False),
            string_values=_settings(job, helm, strings=True),
            file_values=_file_settings(job, helm),
            kube_version=_kube_version(helm.kube_version or job.destination.kube_version),
            api_versions=helm.api_versions or job.destination.api_versions,
            include_crds=not helm.skip_crds,
            skip_tests=helm.skip_tests,
            skip_schema=helm.skip_schema_validation,
            objects=True,
        )
        with exported(files, extra) as folder:
            made = self._toolbox.ask_now(asked, folder=folder)
        return [one.object for one in made.objects]


def _check(helm: Helm) -> None:
    if helm.version not in {"", "v3"}:
        said = f"Helm {helm.version!r} is not supported yet"
        raise InvalidInput(said, code="source-field", where=f"{_HERE}.version")


async def _neighbours(tree: Tree, found: dict[str, TreeEntry], path: str) -> list[str]:
    """Folders of charts that a chart depends on, and those that they depend on."""
    folders: list[str] = []
    open_ = [path]
    while open_:
        folder = open_.pop()
        place = posixpath.join(folder, "Chart.yaml")
        entry = found.get(place) or (await tree.entries([place])).get(place)
        if entry is None or entry.kind != "file":
            continue
        text = yaml.decode((await tree.blobs([entry.sha]))[entry.sha], name=place)
        for below in _local(yaml.load(text, name=place), folder, place):
            if below not in folders:
                folders.append(below)
                open_.append(below)
    return [folder for folder in folders if await tree.entries([folder])]


def _local(chart: object, folder: str, where: str) -> list[str]:
    wanted: Any = chart.get("dependencies") if isinstance(chart, dict) else None
    found = []
    for one in wanted if isinstance(wanted, list) else ():
        repository = str(one.get("repository") or "") if isinstance(one, dict) else ""
        if repository.startswith("file://"):
            found.append(joined(folder, repository.removeprefix("file://"), where))
    return found


def _named(job: Job, helm: Helm) -> list[str]:
    """All files that the source names."""
    values = [_place(job, one, "valueFiles") for one in helm.value_files]
    files = [_place(job, one.path, "fileParameters") for one in helm.file_parameters]
    return [*values, *files]


def _place(job: Job, given: str, field: str) -> str:
    path = expanded(given, job.variables)
    where = f"{_HERE}.{field}"
    if _URL.match(path):
        raise InvalidInput(
            f"{path}: a file from elsewhere is not supported yet",
            code="source-field",
            where=where,
            remedy="put the file into the repository",
        )
    if any(letter in path for letter in "*?[{"):
        raise InvalidInput(
            f"{path}: a pattern is not supported yet", code="source-field", where=where
        )
    return joined(job.path, path, where)


def _value_files(job: Job, helm: Helm, there: set[str]) -> list[str]:
    found = list(dict.fromkeys(_place(job, one, "valueFiles") for one in helm.value_files))
    if helm.ignore_missing_value_files:
        return [path for path in found if path in there]
    for path in found:
        if path not in there:
            said = f"there is no value file {path}"
            raise NotFound(said, code="no-path", where=f"{_HERE}.valueFiles")
    return found


def _release(job: Job, helm: Helm) -> str:
    name = helm.release_name or job.app
    if len(name) > _LONGEST:
        raise InvalidInput(
            f"the release's name {name!r} is longer than {_LONGEST} letters",
            code="helm-release-name",
            where=f"{_HERE}.releaseName",
            remedy="give a shorter helm.releaseName",
        )
    return name


def _extra(helm: Helm) -> dict[str, bytes]:
    """The source's own values as a file: `valuesObject`, else `values`."""
    if helm.values_object is not None:
        return {_EXTRA: msgspec.json.encode(helm.values_object)}
    return {_EXTRA: helm.values.encode()} if helm.values else {}


def _settings(job: Job, helm: Helm, *, strings: bool) -> tuple[str, ...]:
    found = {one.name: one.value for one in helm.parameters if one.force_string == strings}
    return tuple(_set(found, job))


def _set(found: dict[str, str], job: Job) -> Iterable[str]:
    for name, value in found.items():
        yield f"{name}={_escaped(expanded(value, job.variables))}"


def _file_settings(job: Job, helm: Helm) -> tuple[str, ...]:
    found = {one.name: _place(job, one.path, "fileParameters") for one in helm.file_parameters}
    return tuple(f"{name}={_escaped(f'source/{path}')}" for name, path in found.items())


def _escaped(value: str) -> str:
    """A value whose commas are no separators, unless it is a list in braces."""
    if value.startswith("{") and value.endswith("}"):
        return value
    return _COMMA.sub(r"\\,", value)


def _kube_version(text: str) -> str:
    """A version without what vendors add."""
    found = _VERSION.fullmatch(text)
    return found[1] if found else text
