"""An application's source: where its manifests come from, and how they are made.

The fields are those of Argo CD's `spec.source` that are supported so far; any other is refused with
its path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, field

from fairway.model.commit import TreeEntry
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
    name: str = ""  # is only shown
    helm: Helm | None = None
    kustomize: Kustomize | None = None
    directory: Directory | None = None


class Tree(Protocol):
    """A source's files at one revision, read where they are. Paths are clean: without a leading
    `/`, `.` and `..`; "" is the top. All raise `NotFound`, `TooLarge` and `Unavailable`.
    """

    async def entries(self, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What stands at paths; those where nothing does are left out. An entry's `sha` is its
        content's.
        """

    async def below(self, path: str) -> list[TreeEntry]:
        """Every file and link below a folder, by path."""

    async def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Contents by their ids."""


class Fetcher(Protocol):
    """One kind of source. Both raise `InvalidInput`, `NotFound` and `Forbidden` for what has to be
    changed by somebody, and `Unavailable` for what may be tried again.
    """

    async def resolve(self, source: Source, *, fresh: bool = False) -> str:
        """The revision that it stands for now. `fresh`: ask, whatever is remembered."""

    async def tree(self, source: Source, revision: str) -> Tree:
        """Its files at a revision that `resolve` gave, or that is written down somewhere."""


def is_chart(source: Source) -> bool:
    """Whether it is a chart of a registry or of a Helm repository."""
    return bool(source.chart) or source.repo_url.startswith("oci://")


WHERE: Final = "spec.source"


def parse(given: Mapping[str, Any], where: str = WHERE) -> Source:
    """A source from its JSON. Raises `InvalidInput` (`source-field`) with the field's path.

    A field that is not supported may be there with what it would be without: clients write those.
    """
    try:
        return msgspec.convert(_trimmed(given, Source), Source)
    except msgspec.ValidationError as error:
        raise _refused(str(error), where) from None


def as_json(source: Source) -> Json:
    """The way back, without what is not there."""
    found: Json = {n: one for n, one in msgspec.to_builtins(source).items() if one is not None}
    if found.get("helm", {}).get("valuesObject", "") is None:
        del found["helm"]["valuesObject"]
    for patch in found.get("kustomize", {}).get("patches", ()):
        if patch.get("target", "") is None:
            del patch["target"]
    return found


def _trimmed(given: Any, kind: type[Struct]) -> Any:
    """Without unknown fields that say nothing."""
    if not isinstance(given, Mapping):
        return given
    known = {each.encode_name: each.name for each in msgspec.structs.fields(kind)}
    made = {}
    for name, value in given.items():
        below = _BELOW.get(name) if kind is Source else None
        if below is not None and value is not None:
            made[name] = _trimmed(value, below)
        elif value is not None and (name in known or value not in _NOTHING):
            made[name] = value
    return made


_BELOW: Final[Mapping[str, type[Struct]]] = {
    "helm": Helm,
    "kustomize": Kustomize,
    "directory": Directory,
}
_NOTHING: Final[tuple[Any, ...]] = (False, "", [], {})


def _refused(said: str, where: str) -> InvalidInput:
    said, _, place = said.partition(" - at `$")
    path = where + place.rstrip("`")
    if "unknown field" in said:
        name = said.rpartition("unknown field `")[2].rstrip("`")
        return InvalidInput(f"{path}.{name} is not supported yet", code="source-field")
    return InvalidInput(f"{path}: {said}", code="source-field")
