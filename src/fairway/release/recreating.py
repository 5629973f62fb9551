"""An environment made anew in another cluster, from what Git and the registry hold; and its
integration suite run on demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from msgspec import Struct

from fairway.kit import semver
from fairway.kube import Kube, Selection
from fairway.kube.fleet import find
from fairway.model.errors import Conflict, InvalidInput, NotFound
from fairway.model.release import Release, ReleaseState, Service
from fairway.release import configuration, git_places, history, making, writing
from fairway.release.configuration import Beside
from fairway.release.ports import Deps
from fairway.release.spec import Delivery, Environment, PipelineCheck
from fairway.store import promotions, releases

COPY_OF: Final = "fairway.dev/copy-of"
Json = dict[str, Any]


class Made(Struct, frozen=True, kw_only=True):
    """An Application that deploys a service elsewhere, or the environment's configuration
    (`service` "").

    `revision`: what Git says; `missing`: keys that its pods wait for, until which it is held back;
    `left`: what Git has that is not carried, and why.
    """

    service: str
    application: str
    namespace: str
    revision: str
    changed: bool
    missing: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def copy_of(found: Json, environment: str, cluster: str) -> Json:
    """An Application of Git for another cluster: named after it, syncing by itself. Pure."""
    spec = dict(found.get("spec") or {})
    namespace = (spec.get("destination") or {}).get("namespace", "")
    policy = dict(spec.get("syncPolicy") or {})
    options = [one for one in policy.get("syncOptions") or () if "CreateNamespace" not in one]
    policy["syncOptions"] = [*options, "CreateNamespace=true"]
    policy.setdefault("automated", {"prune": True, "selfHeal": True})
    meta = found.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), COPY_OF: environment}
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": f"{meta['name']}-{cluster}", "labels": labels},
        "spec": {
            **spec,
            "destination": {"name": cluster, "namespace": namespace},
            "syncPolicy": policy,
        },
    }


async def deploy(
    deps: Deps, delivery: Delivery, environment: Environment, cluster: str
) -> list[Made]:
    """Have every service of an environment, and its configuration, deployed to another cluster as
    Git says it now.

    Secrets are never copied: whose pods need one that is not there is held back, and says which.
    The same again changes nothing. Raises `NotFound` for the cluster or what Git lacks, `Conflict`
    (`same-cluster`) for the environment's own one.
    """
    target, own = find(deps.fleet, name=cluster), find(deps.fleet, name=environment.cluster)
    kube = target.client()
    if target.name == own.name:
        raise Conflict(
            f"{environment.name} is in {cluster} already",
            code="same-cluster",
            remedy="name another one; `fairway get clusters` lists them",
        )
    anew = _Anew(deps, delivery, environment, cluster=target.name, kube=kube)
    made = await anew.configuration()
    found = [await anew.service(one) for one in delivery.services]
    services = [one for one in found if one is not None]
    if not services:
        raise NotFound(
            f"nothing of {delivery.name} has been in {environment.name} yet",
            code="nothing-there",
            remedy=f"`fairway promote SERVICE --env {environment.name}` brings a release there",
        )
    return [*made, *services]


class _Anew:
    """One environment on its way into another cluster."""

    def __init__(
        self, deps: Deps, delivery: Delivery, environment: Environment, *, cluster: str, kube: Kube
    ) -> None:
        self._deps, self._delivery, self._environment = deps, delivery, environment
        self._cluster, self._kube = cluster, kube
        self._objects: list[Json] = []  # what Git has beside the charts

    async def configuration(self) -> list[Made]:
        """What lies beside the services' Applications in folders that an Application syncs."""
        hub = find(self._deps.fleet, name="in-cluster").client()
        inside = Selection(namespace=self._deps.hub_namespace)
        applications = await hub.list(making.APPLICATION, inside)
        given = self._environment.configuration
        place = await self._deps.code.find(given.repository)
        head = await self._deps.code.head(place, given.branch or place.branch)
        made = []
        for folder in dict.fromkeys(map(self._environment.path_of, self._names())):
            root = configuration.root(applications, given.repository, folder)
            if root is not None:
                beside = configuration.read(await self._deps.code.files(place, head, folder))
                made += await self._beside(root, beside, head)
        return made

    def _names(self) -> list[str]:
        return [one.name for one in self._delivery.services]

    async def _beside(self, root: Json, beside: Beside, head: str) -> list[Made]:
        wanted = copy_of(root, self._environment.name, self._cluster)
        spec = configuration.without(wanted["spec"], beside.hub)
        left = beside.left
        if spec is None:
            name = root["metadata"]["name"]
            left = (f"the Application {name} does more than to take a folder's files",)
        if not (beside.objects or left):
            return []
        missing: list[str] = []
        changed = False
        if spec is not None and beside.objects:
            placed = configuration.placed(beside.objects, spec["destination"]["namespace"])
            self._objects += placed
            await configuration.rooms(self._kube, beside.namespaces)
            missing = await configuration.lacking_beside(self._kube, placed)
            changed = not missing and await self._apply({**wanted, "spec": spec})
        return [
            Made(
                service="",
                application=wanted["metadata"]["name"],
                namespace=", ".join(beside.namespaces),
                revision=head[:12],
                changed=changed,
                missing=tuple(missing),
                left=left,
            )
        ]

    async def service(self, service: Service) -> Made | None:
        """A service's own; None for one that was never released."""
        known = await self._deps.database.read(
            releases.of_service, self._delivery.name, service.name
        )
        chart = next((one.chart for one in known if one.chart), "")
        if not chart:
            return None
        here = await git_places.look(self._deps, self._environment, service, chart)
        text = here.files[here.found.file].decode()
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
        wanted = copy_of(documents[here.found.index], self._environment.name, self._cluster)
        missing = await self._missing(service, here.found, known)
        changed = not missing and await self._apply(wanted)
        return Made(
            service=service.name,
            application=wanted["metadata"]["name"],
            namespace=here.found.namespace,
            revision=here.found.revision,
            changed=changed,
            missing=tuple(missing),
        )

    async def _missing(
        self, service: Service, place: writing.Place, known: Sequence[Release]
    ) -> list[str]:
        """Keys that its pods would wait for; the namespace is there afterwards, to make them in."""
        published = [one.version for one in known if one.state is ReleaseState.PUBLISHED]
        wanted = semver.range_of(place.revision)
        version = wanted.best(published) if wanted else None
        if version is None:
            return []  # the Application says itself that there is no such version
        namespace = place.namespace or "default"
        await configuration.rooms(self._kube, [namespace])
        objects = await configuration.chart_objects(
            self._deps, self._delivery, service, place, version=version
        )
        return await configuration.lacking(self._kube, objects, namespace, also=self._objects)

    async def _apply(self, wanted: Json) -> bool:
        """Into the hub; whether that changed anything."""
        name, namespace = wanted["metadata"]["name"], self._deps.hub_namespace
        wanted = {**wanted, "metadata": {**wanted["metadata"], "namespace": namespace}}
        hub = find(self._deps.fleet, name="in-cluster").client()
        before = await hub.find(making.APPLICATION, name, namespace)
        after = await hub.apply(making.APPLICATION, wanted, force=True)
        return before is None or before.get("spec") != after.get("spec")


async def test(
    deps: Deps,
    delivery: Delivery,
    environment: Environment,
    instead: Mapping[str, str],
    *,
    key: str,
) -> str:
    """Run a delivery's integration suite against what an environment runs; the build's name.

    `instead`: service -> digest that takes the place of what runs there. The build gets
    `FAIRWAY_ENVIRONMENT` and, of each service that runs there, `FAIRWAY_DIGEST_SERVICE` and
    `FAIRWAY_IMAGE_SERVICE` (NAME@DIGEST). Raises `InvalidInput` (`no-tests`),
    `NotFound` (`no-service`).
    """
    if delivery.tests is None:
        raise InvalidInput(
            f"the delivery {delivery.name} names no integration suite",
            code="no-tests",
            where="spec.tests",
            remedy="add `tests: {repository: ORG/NAME}` to the Delivery: the suite is the pipelines"
            " of that repository for the event `custom`",
        )
    known = {one.name: one for one in delivery.services}
    for name in sorted(instead.keys() - known.keys()):
        raise NotFound(
            f"{delivery.name} has no service {name[:100]!r}",
            code="no-service",
            remedy=f"there are: {', '.join(known)}",
        )
    parameters = {"FAIRWAY_ENVIRONMENT": environment.name}
    for service in delivery.services:
        made = instead.get(service.name) or await _digest(deps, delivery, environment, service)
        if made:
            word = service.name.upper().replace("-", "_")
            parameters[f"FAIRWAY_DIGEST_{word}"] = made
            parameters[f"FAIRWAY_IMAGE_{word}"] = f"{service.image_name}@{made}"
    check: PipelineCheck = delivery.tests
    return await deps.pipelines.start(check.repository, check, parameters, key=key)


async def _digest(
    deps: Deps, delivery: Delivery, environment: Environment, service: Service
) -> str:
    lane = await deps.database.read(promotions.lane, delivery.name, environment.name, service.name)
    now = history.current(lane)
    found: Release | None = None
    if now is not None:
        found = await deps.database.read(releases.by_id, now.release)
    return found.digest if found else ""
