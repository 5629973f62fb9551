"""An application's state: what it wants, what is live, and how the two compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from fairway.gitops import project, targets, tracking
from fairway.gitops import status as shown
from fairway.gitops.application import Application
from fairway.gitops.applying import server_side
from fairway.gitops.comparing import Comparer, CompareRequest
from fairway.gitops.live import LiveCluster
from fairway.gitops.objects import (
    UNKNOWN,
    Comparison,
    Condition,
    Health,
    Json,
    ObjectKey,
    Rendered,
    Targets,
)
from fairway.gitops.rendering import RenderRequest
from fairway.gitops.source import parse
from fairway.gitops.unsupported import refusals
from fairway.kube import Key, Kube
from fairway.kube.errors import KubeInvalid, KubeNotFound
from fairway.kube.fleet import Member
from fairway.model.errors import FairwayError

NOT_LOADED = "Failed to load target state: "


class Manifests(Protocol):
    """Where an application's manifests come from."""

    async def manifests(self, asked: RenderRequest, *, fresh: bool) -> Rendered:
        """What a source gives. A revision of "" is what the source stands for now; `fresh`: as it
        is to be asked for anew. Raises `FairwayError` with what is in the way.
        """
        ...


class Ground(Struct, frozen=True, kw_only=True):
    """Where an application goes, and what it may do."""

    member: Member
    live: LiveCluster
    project: project.Project
    instance: str  # the application's name in tracking ids


class State(Struct, frozen=True, kw_only=True):
    """An application at one moment."""

    revision: str
    source_type: str
    digest: str  # of what is wanted; "" where that is not known
    targets: Targets
    live: Mapping[ObjectKey, Json]
    compared: Comparison


class Observer:
    """Looks at applications."""

    def __init__(self, manifests: Manifests, comparer: Comparer) -> None:
        self._manifests = manifests
        self._comparer = comparer
        self._known: dict[Key, tuple[object, State]] = {}

    async def look(
        self, app: Application, ground: Ground, *, source: Json, revision: str, fresh: bool
    ) -> State:
        """An application compared with its cluster. What its source cannot give is a condition of
        the comparison. Raises `KubeUnavailable` where the cluster cannot be read.
        """
        await ground.live.learn()
        rendered, problem = None, ""
        try:
            asked = RenderRequest(
                app=app.key.name,
                source=parse(source),
                destination=ground.live.destination(app.spec.destination.namespace),
                project=app.spec.project,
                revision=revision,
                hard=app.refresh == "hard",
            )
            rendered = await self._manifests.manifests(asked, fresh=fresh)
        except FairwayError as error:
            problem = NOT_LOADED + str(error)
        known = self._known.get(app.key)
        basis = _basis(app, ground, rendered)
        if known is not None and rendered is not None and known[0] == basis:
            return replace(known[1], revision=rendered.revision)
        state = await self.compared(app, ground, rendered, problem, revision=revision)
        if rendered is not None and source == app.spec.source and _all_followed(state, ground):
            self._known[app.key] = (basis, state)
        else:
            self._known.pop(app.key, None)
        return state

    def forget(self, key: Key) -> None:
        """An application is gone."""
        self._known.pop(key, None)

    async def compared(
        self,
        app: Application,
        ground: Ground,
        rendered: Rendered | None,
        problem: str,
        *,
        revision: str,
    ) -> State:
        """What is wanted compared with what is live."""
        wanted = Targets(objects=())
        try:
            wanted = _wanted(app, ground, rendered)
        except FairwayError as error:
            rendered, problem = None, NOT_LOADED + str(error)
        live = await self._live(app, ground, wanted)
        compared = await self._comparer.compare(
            CompareRequest(
                name=app.key.name,
                namespace=app.key.namespace,
                instance=ground.instance,
                targets=wanted,
                live=live,
                ignore=app.spec.ignore_differences,
                predicted=await self._predicted(app, ground, wanted, live),
                forbidden=_forbidden(ground, wanted, live),
                problem=problem,
            )
        )
        return State(
            revision=rendered.revision if rendered else revision,
            source_type=rendered.source_type if rendered else "",
            digest=rendered.digest if rendered else "",
            targets=wanted,
            live=live,
            compared=replace(
                compared, conditions=(*compared.conditions, *refusals(app.raw, wanted.objects))
            ),
        )

    async def _live(
        self, app: Application, ground: Ground, wanted: Targets
    ) -> dict[ObjectKey, Json]:
        """The application's objects, and what is there under the keys of those that it wants."""
        kinds = shown.wanted_kinds([one.object for one in wanted.objects])
        await ground.live.follow([*kinds, *shown.kinds(app)])
        limits = ground.project.limits
        found = {
            key: obj
            for key, obj in ground.live.tracked(ground.instance).items()
            if project.permitted(limits, key, ground.member)
        }
        for one in wanted.objects:
            if one.key not in found and one.object["metadata"].get("name"):
                obj = await ground.live.find(one.key, str(one.object["apiVersion"]))
                if obj is not None:
                    found[one.key] = obj
        return found

    async def _predicted(
        self, app: Application, ground: Ground, wanted: Targets, live: Mapping[ObjectKey, Json]
    ) -> dict[ObjectKey, Json]:
        """For objects that are applied on the server's side: what it says would come of that."""
        default = "ServerSideApply=true" in app.options
        found: dict[ObjectKey, Json] = {}
        for one in wanted.objects:
            if one.key in live and server_side(one.object, default=default):
                obj = await predicted(ground.live, one.object)
                if obj is not None:
                    found[one.key] = obj
        return found


def _basis(app: Application, ground: Ground, rendered: Rendered | None) -> object:
    """What a comparison depends on: where it is the same, so is what would come of it."""
    return (
        rendered.digest if rendered else "",
        app.uid,
        app.raw.get("spec"),
        ground.project,
        ground.live,
        ground.live.generation(ground.instance),
    )


def _all_followed(state: State, ground: Ground) -> bool:
    """Whether every change of what was compared is heard of: objects without our mark are not."""
    found = ground.live.tracked(ground.instance)
    known = all(key in found for key in state.live)
    return known and state.compared.status == "Synced"


def _wanted(app: Application, ground: Ground, rendered: Rendered | None) -> Targets:
    """Raises `InvalidInput` for what is no object of Kubernetes."""
    if rendered is None:
        return Targets(objects=())
    return targets.prepare(
        rendered.objects,
        instance=ground.instance,
        namespace=app.spec.destination.namespace,
        namespaced=ground.live.namespaced,
    )


async def predicted(live: LiveCluster, wanted: Json) -> Json | None:
    """What would come of a server-side apply; None where the server refuses it, or knows no such
    kind: applying it says why.
    """
    kube: Kube = live.applying
    try:
        kind = await live.kind(str(wanted["apiVersion"]), str(wanted["kind"]))
        return await kube.apply(kind, wanted, force=True, dry_run=True, strict=False)
    except (KubeInvalid, KubeNotFound):
        return None


def _forbidden(
    ground: Ground, wanted: Targets, live: Mapping[ObjectKey, Json]
) -> frozenset[ObjectKey]:
    """What the project's lists of kinds do not allow."""
    return frozenset(
        key
        for key in {*(one.key for one in wanted.objects), *live}
        if not project.kind_allowed(
            ground.project.limits, key, namespaced=bool(ground.live.namespaced(key.group, key.kind))
        )
    )


def unread(problem: str) -> Comparison:
    """The comparison of an application of which nothing can be known."""
    return Comparison(
        status="Unknown",
        health=Health(UNKNOWN),
        resources=(),
        conditions=(Condition("ComparisonError", problem),),
    )


def instance(app: Application, home: str) -> str:
    """The application's name in tracking ids."""
    return tracking.instance(app.key.name, app.key.namespace, home)
