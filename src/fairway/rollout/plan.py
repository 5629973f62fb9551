"""What a decision is made from, and what it says to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from fairway.kube import Json, Key

Objects = Sequence[Json]


class CreateSet(Struct, frozen=True):
    """Make a ReplicaSet. One of that name may be there: ours, or a collision."""

    body: Json


class ChangeSet(Struct, frozen=True, kw_only=True):
    """Change a ReplicaSet: its size, its annotations (None removes one), `minReadySeconds`."""

    name: str
    replicas: int | None = None
    notes: Mapping[str, str | None] = {}
    min_ready: int | None = None


class DeleteSet(Struct, frozen=True):
    """Remove a ReplicaSet that has no pods."""

    name: str


class ChangeRollout(Struct, frozen=True):
    """A merge patch of the Rollout itself, not of its status."""

    body: Json


class SwitchService(Struct, frozen=True, kw_only=True):
    """Have a Service select another version."""

    name: str
    hash: str
    managed_by: str = ""  # written where the Service does not say who manages it


class ReleaseService(Struct, frozen=True):
    """Have a Service select every version again: its Rollout is gone, or names it no longer."""

    name: str


class ChangeRoute(Struct, frozen=True):
    """A JSON merge patch of a route."""

    key: Key
    body: Json


class CreateRun(Struct, frozen=True):
    """Make an AnalysisRun. The name is free: the decision knows all that exist."""

    body: Json


class EndRun(Struct, frozen=True):
    """Have an AnalysisRun terminate."""

    name: str


class DeleteRun(Struct, frozen=True):
    """Remove an AnalysisRun."""

    name: str


class Tell(Struct, frozen=True):
    """An event of the Rollout."""

    reason: str
    message: str
    warning: bool = False


Action = (
    CreateSet
    | ChangeSet
    | DeleteSet
    | ChangeRollout
    | SwitchService
    | ReleaseService
    | ChangeRoute
    | CreateRun
    | EndRun
    | DeleteRun
    | Tell
)


class Seen(Struct, frozen=True, kw_only=True):
    """All that a decision is made from.

    `match` is the name of the ReplicaSet whose template equals the Rollout's, as far as the shell
    could tell by Kubernetes' own defaults; the decision itself looks for the hash first. `routes`
    are the routes of the traffic router by key.
    """

    rollout: Json
    sets: Objects = ()
    services: Mapping[str, Json] = {}
    runs: Objects = ()
    templates: Mapping[str, Json] = {}  # AnalysisTemplates of the namespace by name
    cluster_templates: Mapping[str, Json] = {}
    routes: Mapping[Key, Json] = {}
    match: str = ""
    rollouts: frozenset[str] = frozenset()  # names of all Rollouts of the namespace


class Plan(Struct, frozen=True, kw_only=True):
    """What to do, in this order; then the status, in one patch; then look again in `again` s.

    `status` None leaves it as it is.
    """

    actions: tuple[Action, ...] = ()
    status: Mapping[str, Any] | None = None
    again: float | None = None
