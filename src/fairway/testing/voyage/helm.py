"""Charts without Helm: a toolbox that fills in, checks and packs the charts of voyages.

A chart's `templates/all.json` is a list of objects in which `${PATH}` stands for a value, a part
with `"$if": PATH` is there only where that value is true, and a `"$fail": WHY` is an error.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from fairway.gitops import merging
from fairway.gitops.sources.archives import unpacked
from fairway.kube.kind import Json
from fairway.model.errors import InvalidInput
from fairway.native.helm import (
    ChartInfo,
    HelmLint,
    HelmLinted,
    HelmPackage,
    HelmPackaged,
    HelmRendered,
    HelmTemplate,
    LintMessage,
    Rendered,
)
from fairway.testing.voyage.sources import PlainToolbox

TEMPLATE: Final = "templates/all.json"
_HOLE: Final = re.compile(r"\$\{([a-zA-Z.]+)\}")
_GONE: Final = object()
Files = Mapping[str, bytes]


class ChartToolbox(PlainToolbox):
    """... and everything that `PlainToolbox` does."""

    def ask_now(self, request: Any, *, folder: Path | None = None, **_: Any) -> Any:
        """See `Toolbox`."""
        if folder is None or not isinstance(request, HelmTemplate | HelmLint | HelmPackage):
            return super().ask_now(request)
        files = _files(folder / request.chart)
        match request:
            case HelmTemplate():
                return _template(request, files, folder)
            case HelmLint():
                return _lint(files)
            case HelmPackage():
                return _package(request, files)

    async def ask(self, request: Any, **given: Any) -> Any:
        """See `Toolbox`."""
        return self.ask_now(request, **given)


def _files(place: Path) -> dict[str, bytes]:
    """The files of a chart: of its folder, or of its archive."""
    if place.is_file():
        tree = unpacked(place.read_bytes(), place.name)
        return dict(tree._files)  # noqa: SLF001 our own twin of it would be the same code
    every = sorted(path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in every}


def _info(files: Files) -> ChartInfo:
    said = yaml.safe_load(files["Chart.yaml"])
    return ChartInfo(
        name=str(said["name"]),
        version=str(said.get("version", "")),
        app_version=str(said.get("appVersion", "")),
    )


def _template(asked: HelmTemplate, files: Files, folder: Path) -> HelmRendered:
    values: Json = yaml.safe_load(files["values.yaml"]) or {}
    for name in asked.value_files:
        inside = posixpath.relpath(name, asked.chart)
        data = files[inside] if inside in files else (folder / name).read_bytes()
        values = merging.merged(values, yaml.safe_load(data) or {})
    for text in asked.json_values:
        values = merging.merged(values, _set(text))
    made = _filled(json.loads(files[TEMPLATE]), values)
    return HelmRendered(
        manifest="",
        notes="",
        hooks=[],
        objects=[Rendered(source=TEMPLATE, object=one) for one in made],
        chart=_info(files),
    )


def _set(text: str) -> Json:
    if text.startswith("{"):
        return dict(json.loads(text))
    path, _, value = text.partition("=")
    made = json.loads(value)
    for part in reversed(path.split(".")):
        made = {part: made}
    return dict(made)


def _filled(part: Any, values: Json) -> Any:
    if isinstance(part, str):
        return _HOLE.sub(lambda found: str(_value(found[1], values)), part)
    if isinstance(part, list):
        made = [_filled(one, values) for one in part]
        return [one for one in made if one is not _GONE]
    if not isinstance(part, dict):
        return part
    if "$fail" in part:
        raise InvalidInput(str(part["$fail"]), code="helm-render", where=TEMPLATE)
    if "$if" in part and not _value(part["$if"], values):
        return _GONE
    found = {name: _filled(one, values) for name, one in part.items() if name != "$if"}
    return {name: one for name, one in found.items() if one is not _GONE}


def _value(path: str, values: Any) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return "" if values is None else values


def _lint(files: Files) -> HelmLinted:
    try:
        _filled(json.loads(files[TEMPLATE]), yaml.safe_load(files["values.yaml"]) or {})
    except (InvalidInput, ValueError) as error:
        said = LintMessage(severity="error", place=TEMPLATE, message=str(error))
        return HelmLinted(messages=[said], passed=False)
    return HelmLinted(messages=[], passed=True)


def _package(asked: HelmPackage, files: Files) -> HelmPackaged:
    chart = yaml.safe_load(files["Chart.yaml"])
    chart |= {"version": asked.version, "appVersion": asked.app_version}
    changed = {**files, "Chart.yaml": yaml.safe_dump(chart).encode()}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in sorted(changed.items()):
            member = tarfile.TarInfo(f"{chart['name']}/{name}")
            member.size, member.mtime = len(data), asked.time
            tar.addfile(member, io.BytesIO(data))
    packed = gzip.compress(plain.getvalue(), mtime=asked.time)
    name = f"{chart['name']}-{asked.version}.tgz"
    return HelmPackaged(name=name, data=packed, chart=_info(changed))
