"""What must be true at a voyage's end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairway.kube import objects
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, POD, REPLICA_SET, SERVICE, Json
from fairway.model.events import RolloutChanged
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.objects import HASH
from fairway.store import outbox
from fairway.testing.simkube.workloads import is_ready
from fairway.testing.voyage.clusters import SimCluster
from fairway.testing.voyage.goods import SHOP, Cargo
from fairway.testing.voyage.world import VoyageWorld

ENDS: Final = ("Healthy", "Paused", "Degraded")


def open_ends(world: VoyageWorld, fleet: list[Cargo]) -> list[str]:
    """What has not come to its right end (yet)."""
    return [told for cargo in fleet for told in _of(world, cargo)]


def _of(world: VoyageWorld, cargo: Cargo) -> Iterator[str]:
    cluster = world.clusters[cargo.cluster]
    app = world.app(cargo.name) or {}
    status = app.get("status") or {}
    if app.get("operation"):
        yield f"{cargo.name}: its operation does not begin"
    if (status.get("operationState") or {}).get("phase") in ("Running", "Terminating"):
        yield f"{cargo.name}: its operation does not end: {status['operationState']}"
    if (status.get("sync") or {}).get("status") != "Synced":
        yield f"{cargo.name}: not Synced: {status.get('sync')} {status.get('conditions')}"
    yield from _same_as_git(cargo, cluster)
    if cargo.strategy != "deployment":
        yield from _rollout(cargo, cluster)


def _same_as_git(cargo: Cargo, cluster: SimCluster) -> Iterator[str]:
    """Git and cluster agree, whatever the status says."""
    found = {at[2]: o for at, o in cluster.api.of(CONFIG_MAP, SHOP)}
    mine = {name: o["data"] for name, o in found.items() if name.startswith(f"{cargo.name}-")}
    wanted = {
        one["metadata"]["name"]: one["data"]
        for one in cargo.manifests()
        if one["kind"] == "ConfigMap"
    }
    if mine != wanted:
        yield f"{cargo.name}: the cluster has {mine} and Git has {wanted}"
    kind = DEPLOYMENT if cargo.strategy == "deployment" else ROLLOUT
    live = cluster.api.find(kind, cargo.name, SHOP)
    if live is None or _image(live) != _image(cargo.workload()):
        there = None if live is None else _image(live)
        yield f"{cargo.name}: {there} is wanted there and {cargo.image} in Git"


def _image(workload: Json) -> str:
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


def _rollout(cargo: Cargo, cluster: SimCluster) -> Iterator[str]:
    found = cluster.rollout(cargo.name)
    if found is None:
        yield f"{cargo.name}: there is no Rollout"
        return
    status = found.get("status") or {}
    phase = status.get("phase")
    if phase not in ENDS or str(found["metadata"]["generation"]) != status.get(
        "observedGeneration"
    ):
        yield f"{cargo.name}: it ends {phase}: {status}"
    if phase == "Degraded" and not status.get("message"):
        yield f"{cargo.name}: it is Degraded and says no reason"
    if phase == "Degraded" and not status.get("abort"):
        yield f"{cargo.name}: it is Degraded, though what is wanted is good: {status}"
    if phase == "Paused" and not any(one.get("pause") == {} for one in cargo.steps):
        yield f"{cargo.name}: it is Paused, though every pause has an end: {status}"
    if phase == "Healthy" and status.get("stableRS") != status.get("currentPodHash"):
        yield f"{cargo.name}: Healthy, but the stable version is another: {status}"
    yield from reachable(cargo, cluster, status)


def reachable(cargo: Cargo, cluster: SimCluster, status: Json) -> Iterator[str]:
    """The last known good answers: its Service points at it, and its pods are there."""
    stable = str(status.get("stableRS") or "")
    if not stable:
        yield f"{cargo.name}: nothing was ever good"
        return
    ready = [
        o
        for _, o in cluster.api.of(POD, cargo.namespace)
        if objects.labels(o).get(HASH) == stable and is_ready(o)
    ]
    if len(ready) < cargo.replicas:
        yield f"{cargo.name}: {len(ready)} pods of the last known good {stable} are there"
    main = cluster.api.find(SERVICE, cargo.services()[0], cargo.namespace) or {}
    if main["spec"]["selector"].get(HASH) != stable:
        yield f"{cargo.name}: its Service points at {main['spec']['selector']}, not at {stable}"
    sets = [
        o
        for _, o in cluster.api.of(REPLICA_SET, cargo.namespace)
        if objects.labels(o).get(HASH) == stable
    ]
    if len(sets) != 1:
        yield f"{cargo.name}: {len(sets)} ReplicaSets of one version"


def check(world: VoyageWorld, fleet: list[Cargo]) -> None:
    """Raises `AssertionError` with all that is wrong."""
    wrong = [told for cluster in world.clusters.values() for told in cluster.broken]
    wrong += open_ends(world, fleet) + list(_told(world, fleet))
    wrong += [f"a defect: {error!r}" for error in world.defects]
    assert not wrong, "\n".join(wrong)


def _told(world: VoyageWorld, fleet: list[Cargo]) -> Iterator[str]:
    """People were told of every Rollout's end, and of nothing twice."""
    database = world.inspect()
    found = [event for _, _, event in database.read_now(outbox.since, 0, limit=100_000)]
    rollouts = [one for one in found if isinstance(one, RolloutChanged)]
    for cargo in fleet:
        if cargo.strategy == "deployment":
            continue
        mine = [one for one in rollouts if one.name == cargo.name]
        live = world.clusters[cargo.cluster].rollout(cargo.name) or {}
        phase = (live.get("status") or {}).get("phase")
        if not mine or mine[-1].phase != phase:
            yield f"{cargo.name}: people were told {[o.phase for o in mine][-3:]}, it is {phase}"
