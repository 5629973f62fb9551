"""An environment made anew in another cluster, from what Git and the registry hold; and its
integration suite run on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from fairway.kube.fleet import find
from fairway.model.errors import Conflict, InvalidInput, NotFound
from fairway.model.release import Release, Service
from fairway.release import git_places, history, making
from fairway.release.ports import Deps
from fairway.release.spec import Delivery, Environment, PipelineCheck
from fairway.store import promotions, releases

COPY_OF: Final = "fairway.dev/copy-of"
Json = dict[str, Any]


class Made(Struct, frozen=True, kw_only=True):
    """An Application that deploys a service elsewhere. `revision`: what Git says."""

    service: str
    application: str
    namespace: str
    revision: str
    changed: bool


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
    """Have every service of an environment deployed to another cluster as Git says it now.

    The same again changes nothing. Raises `NotFound` for the cluster or what Git lacks, `Conflict`
    (`same-cluster`) for the environment's own one.
    """
    target, own = find(deps.fleet, name=cluster), find(deps.fleet, name=environment.cluster)
    target.client()
    if target.name == own.name:
        raise Conflict(
            f"{environment.name} is in {cluster} already",
            code="same-cluster",
            remedy="name another one; `fairway get clusters` lists them",
        )
    found = [await _one(deps, delivery, environment, one, cluster=target.name)
             for one in delivery.services]  # fmt: skip
    made = [one for one in found if one is not None]
    if not made:
        raise NotFound(
            f"nothing of {delivery.name} has been in {environment.name} yet", code="nothing-there"
        )
    return made


async def _one(
    deps: Deps, delivery: Delivery, environment: Environment, service: Service, *, cluster: str
) -> Made | None:
    known = await deps.database.read(releases.of_service, delivery.name, service.name)
    chart = next((one.chart for one in known if one.chart), "")
    if not chart:
        return None
    here = await git_places.look(deps, environment, service, chart)
    text = here.files[here.found.file].decode()
    documents = [one for one in yaml.safe_load_all(text) if one is not None]
    wanted = copy_of(documents[here.found.index], environment.name, cluster)
    name = wanted["metadata"]["name"]
    wanted["metadata"]["namespace"] = deps.hub_namespace
    hub = find(deps.fleet, name="in-cluster").client()
    before = await hub.find(making.APPLICATION, name, deps.hub_namespace)
    after = await hub.apply(making.APPLICATION, wanted, force=True)
    return Made(
        service=service.name,
        application=name,
        namespace=here.found.namespace,
        revision=here.found.revision,
        changed=before is None or before.get("spec") != after.get("spec"),
    )


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
    `FAIRWAY_ENVIRONMENT` and a `FAIRWAY_DIGEST_SERVICE` for each service. Raises `InvalidInput`
    (`no-tests`, `no-service`).
    """
    if delivery.tests is None:
        raise InvalidInput(
            f"the delivery {delivery.name} names no integration suite",
            code="no-tests",
            where="spec.tests",
            remedy="say in `tests` which repository's pipeline runs it",
        )
    digests = dict(instead)
    for service in delivery.services:
        digests.setdefault(service.name, await _digest(deps, delivery, environment, service))
    unknown = sorted(set(instead) - {one.name for one in delivery.services})
    if unknown:
        raise InvalidInput(f"there is no service {unknown[0]}", code="no-service")
    parameters = {"FAIRWAY_ENVIRONMENT": environment.name} | {
        f"FAIRWAY_DIGEST_{name.upper().replace('-', '_')}": value
        for name, value in digests.items()
        if value
    }
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
