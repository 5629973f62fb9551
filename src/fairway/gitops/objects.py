"""The values that rendering, comparison and synchronisation hand to one another.

Objects are plain JSON and shared: whoever changes one copies it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

Json = dict[str, Any]
SyncStatus = Literal["Synced", "OutOfSync", "Unknown"]
SourceType = Literal["Directory", "Helm", "Kustomize"]

HEALTHY: Final = "Healthy"
SUSPENDED: Final = "Suspended"
PROGRESSING: Final = "Progressing"
MISSING: Final = "Missing"
DEGRADED: Final = "Degraded"
UNKNOWN: Final = "Unknown"


class ObjectKey(NamedTuple):
    """One object of a cluster, whatever its version. `namespace` is "" for kinds without one."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}/{self.namespace}/{self.name}"


class Health(Struct, frozen=True):
    """`status` is one of the six above."""

    status: str
    message: str = ""


class Condition(Struct, frozen=True):
    """A condition of an application, without its time."""

    type: str  # as ComparisonError or RepeatedResourceWarning
    message: str


class Destination(Struct, frozen=True, kw_only=True):
    """What a target cluster tells a renderer."""

    namespace: str
    kube_version: str = ""  # as "1.36.3", "" for the renderer's own
    api_versions: tuple[str, ...] = ()  # "v1", "apps/v1", "apps/v1/Deployment"


class Rendered(Struct, frozen=True, kw_only=True):
    """What a source gives at a revision. Where `digest` is the same, so are the objects."""

    revision: str  # the commit, or the chart's version
    source_type: SourceType
    digest: str
    objects: tuple[Json, ...]


class Target(Struct, frozen=True, kw_only=True):
    """One wanted object, as it is applied: in its namespace and with its tracking annotation."""

    key: ObjectKey
    object: Json


class Targets(Struct, frozen=True, kw_only=True):
    """What an application wants, hooks too, and what is strange about it."""

    objects: tuple[Target, ...]
    conditions: tuple[Condition, ...] = ()


class Pair(Struct, frozen=True, kw_only=True):
    """An object as it is wanted and as it is; one of them may be missing.

    `predicted` is what the API server says (a dry run of a server-side apply) would come of
    applying it; without it that is computed.
    """

    key: ObjectKey
    target: Json | None
    live: Json | None
    predicted: Json | None = None


class Difference(Struct, frozen=True, kw_only=True):
    """Both sides of a pair, with all that does not count left out."""

    modified: bool
    live: Json | None
    predicted: Json | None


class ResourceResult(Struct, frozen=True, kw_only=True):
    """One object of an application after a comparison."""

    key: ObjectKey
    version: str  # of its API group
    status: SyncStatus | None  # None: it does not count (a hook, a copy of somebody else's)
    health: Health | None
    target: Json | None
    live: Json | None
    difference: Difference
    hook: bool = False
    requires_pruning: bool = False
    wave: int = 0


class Comparison(Struct, frozen=True, kw_only=True):
    """An application compared with its cluster. `resources` are in the order of their keys."""

    status: SyncStatus
    health: Health
    resources: tuple[ResourceResult, ...]
    conditions: tuple[Condition, ...] = ()


def split_version(api_version: str) -> tuple[str, str]:
    """Group and version of an `apiVersion`; the group is "" for the core's."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    """An object's key."""
    meta = obj.get("metadata") or {}
    return ObjectKey(
        split_version(str(obj.get("apiVersion") or ""))[0],
        str(obj.get("kind") or ""),
        str(meta.get("namespace") or ""),
        str(meta.get("name") or ""),
    )
