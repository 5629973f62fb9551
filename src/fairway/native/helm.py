"""Helm and kustomize: what the toolbox is asked, and what it answers.

All paths are relative to the call's folder, which is all that is read. Raises of every one:
`InvalidInput` with a place (codes `bad-chart`, `bad-values`, `helm-render`, `chart-dependencies`,
`kustomize-build`, `no-file`, `no-network`), `TooLarge`, `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct, field

from fairway.native.wire import Request

Json = dict[str, Any]


class ChartInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """What Chart.yaml says."""

    name: str = ""
    version: str = ""
    app_version: str = ""
    description: str = ""
    type: str = ""
    dependencies: list[Json] = field(default_factory=list)


class Hook(Struct, frozen=True, kw_only=True):
    """A hook that a chart makes."""

    name: str
    kind: str
    path: str  # of its template
    manifest: str
    events: list[str] = field(default_factory=list)
    weight: int = 0
    delete_policies: list[str] = field(default_factory=list)


class Rendered(Struct, frozen=True, kw_only=True):
    """One object and the template that it came from."""

    source: str
    object: Json
    hook: bool = False


class HelmRendered(Struct, frozen=True, kw_only=True):
    """`manifest` is what `helm template` prints, to the byte."""

    manifest: str
    notes: str
    hooks: list[Hook]
    objects: list[Rendered]  # where they were asked for
    chart: ChartInfo


def merged(values: tuple[Mapping[str, Any], ...], set_json: tuple[str, ...]) -> tuple[str, ...]:
    """Objects of values and `--set-json` in Helm's own order: objects first."""
    return (*(msgspec.json.encode(one).decode() for one in values), *set_json)


class HelmTemplate(Request[HelmRendered], frozen=True, kw_only=True):
    """`helm template`. Values are merged in the order: files, `values`, set_json, set, set_string,
    set_file, set_literal.
    """

    method: ClassVar[str] = "helm.template"
    answer: ClassVar[Any] = HelmRendered

    chart: str  # a folder or an archive
    release: str = "release-name"
    namespace: str = "default"
    value_files: tuple[str, ...] = ()
    json_values: tuple[str, ...] = ()  # KEY=JSON, or a whole object as JSON
    values: tuple[str, ...] = ()  # `--set`
    string_values: tuple[str, ...] = ()
    file_values: tuple[str, ...] = ()
    literal_values: tuple[str, ...] = ()
    dependencies: str = ""  # a folder of charts for what charts/ lacks
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    include_crds: bool = False
    no_hooks: bool = False
    skip_tests: bool = False
    is_upgrade: bool = False
    skip_schema: bool = False
    objects: bool = False  # answer with parsed objects as well


class LintMessage(Struct, frozen=True, kw_only=True):
    """`severity`: info, warning or error."""

    severity: str
    place: str
    message: str


class HelmLinted(Struct, frozen=True, kw_only=True):
    """What `helm lint` says."""

    messages: list[LintMessage]
    passed: bool


class HelmLint(Request[HelmLinted], frozen=True, kw_only=True):
    """`helm lint` of a chart's folder."""

    method: ClassVar[str] = "helm.lint"
    answer: ClassVar[Any] = HelmLinted

    chart: str
    namespace: str = "default"
    value_files: tuple[str, ...] = ()
    json_values: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    string_values: tuple[str, ...] = ()
    file_values: tuple[str, ...] = ()
    literal_values: tuple[str, ...] = ()
    kube_version: str = ""
    strict: bool = False


class HelmPackaged(Struct, frozen=True, kw_only=True):
    """An archive of a chart. The same chart and time give the same bytes."""

    name: str
    data: bytes
    chart: ChartInfo


class HelmPackage(Request[HelmPackaged], frozen=True, kw_only=True):
    """`helm package`."""

    method: ClassVar[str] = "helm.package"
    answer: ClassVar[Any] = HelmPackaged

    chart: str
    dependencies: str = ""
    version: str = ""  # instead of the chart's own
    app_version: str = ""
    time: int = 0  # of all files in the archive, seconds since 1970


class HelmShown(Struct, frozen=True, kw_only=True):
    """What `helm show all` tells, as data. Of `files`, those at the chart's top have their texts
    (`values.yaml`, `README.md`, `values.schema.json`), others "".
    """

    chart: ChartInfo
    files: dict[str, str]
    crds: list[str]
    charts: list[str]  # NAME-VERSION of what lies in charts/


class HelmShow(Request[HelmShown], frozen=True, kw_only=True):
    """`helm show all`."""

    method: ClassVar[str] = "helm.show"
    answer: ClassVar[Any] = HelmShown

    chart: str


class Kustomized(Struct, frozen=True, kw_only=True):
    """`manifest`, and `objects` where those were asked for."""

    manifest: str
    objects: list[Json]


class Kustomize(Request[Kustomized], frozen=True, kw_only=True):
    """`kustomize build`, without plugins, Helm and network."""

    method: ClassVar[str] = "kustomize"
    answer: ClassVar[Any] = Kustomized

    path: str = "."
    restrictor: Literal["rootOnly", "none"] = "rootOnly"  # none: all files of the call's folder
    objects: bool = False
