"""An application's source: where its manifests come from, and how they are made.

The fields are those of Argo CD's `spec.source` that are supported so far; any other is refused with
its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, field

from fairway.model.errors import InvalidInput

Json = dict[str, Any]


class Directory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Plain manifests of a folder."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""


class Parameter(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`--set`, or `--set-string`."""

    name: str = ""
    value: str = ""
    force_string: bool = False


class FileParameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`--set-file`; the path is of the chart's folder, or of the repository with a leading `/`."""

    name: str = ""
    path: str = ""


class Helm(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a chart is rendered. `values_object` is JSON or None."""

    release_name: str = ""
    value_files: tuple[str, ...] = ()
    ignore_missing_value_files: bool = False
    values: str = ""
    values_object: Any = None
    parameters: tuple[Parameter, ...] = ()
    file_parameters: tuple[FileParameter, ...] = ()
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    version: str = ""
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


class Replica(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workload's number of replicas, a number or its text."""

    name: str
    count: int | str


class PatchTarget(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
                  forbid_unknown_fields=True):  # fmt: skip
    """What a patch is for."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class Patch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A patch of a kustomization."""

    path: str = ""
    patch: str = ""
    target: PatchTarget | None = None
    options: dict[str, bool] = field(default_factory=dict)


class Kustomize(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is changed of a kustomization before it is built."""

    name_prefix: str = ""
    name_suffix: str = ""
    images: tuple[str, ...] = ()
    replicas: tuple[Replica, ...] = ()
    common_labels: dict[str, str] = field(default_factory=dict)
    common_annotations: dict[str, str] = field(default_factory=dict)
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    namespace: str = ""
    patches: tuple[Patch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False


class Source(Struct, frozen=True, kw_only=True, rename={
    "repo_url": "repoURL", "target_revision": "targetRevision",
}, forbid_unknown_fields=True):  # fmt: skip
    """`spec.source`."""

    repo_url: str = ""
    path: str = ""
    target_revision: str = ""
    chart: str = ""
    helm: Helm | None = None
    kustomize: Kustomize | None = None
    directory: Directory | None = None


class Fetched(Struct, frozen=True, kw_only=True):
    """A source's files on this machine. `root` is read, never changed; `digest` is its content's.

    `path` is what the source names of it ("." is all). `chart`: the file or folder is a chart.
    """

    root: Path
    path: str
    revision: str
    digest: str
    chart_digest: str = ""


class Fetcher(Protocol):
    """One kind of source. Both raise `InvalidInput`, `NotFound` and `Forbidden` for what has to be
    changed by somebody, and `Unavailable` for what may be tried again.
    """

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """The revision that it stands for now. `fresh`: ask, whatever is remembered."""

    async def fetch(self, source: Source, revision: str) -> Fetched:
        """Its files at a revision that `resolve` gave."""


WHERE: Final = "spec.source"


def parse(given: Mapping[str, Any], where: str = WHERE) -> Source:
    """A source from its JSON. Raises `InvalidInput` (`source-field`) with the field's path."""
    try:
        return msgspec.convert(given, Source)
    except msgspec.ValidationError as error:
        raise _refused(str(error), where) from None


def _refused(said: str, where: str) -> InvalidInput:
    said, _, place = said.partition(" - at `$")
    path = where + place.rstrip("`")
    if "unknown field" in said:
        name = said.rpartition("unknown field `")[2].rstrip("`")
        return InvalidInput(f"{path}.{name} is not supported yet", code="source-field")
    return InvalidInput(f"{path}: {said}", code="source-field")
