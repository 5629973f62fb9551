"""Whether what was written into Git runs by now: judged by Application, Rollouts and workloads as
they say it themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

Json = Mapping[str, Any]
WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "Rollout"})


class Seen(Struct, frozen=True, kw_only=True):
    """A workload: well, lost (it will not come), or neither yet; `why` in words."""

    well: bool = False
    lost: bool = False
    why: str = ""


WELL: Final = Seen(well=True)


def of_workload(obj: Json) -> Seen:
    """How a workload is, of the generation that was asked for."""
    name = f"{obj['kind']} {obj['metadata']['name']}"
    status = obj.get("status") or {}
    kind = obj["kind"]
    if kind == "Rollout":
        return of_rollout(obj)
    if kind == "Job":
        return _of_job(name, status)
    if int(status.get("observedGeneration") or 0) < int(obj["metadata"].get("generation") or 0):
        return Seen(why=f"{name} has not been looked at yet")
    if kind == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        updated = int(status.get("updatedNumberScheduled") or 0)
        ready = int(status.get("numberAvailable") or 0)
    else:
        wanted = int((obj.get("spec") or {}).get("replicas", 1))
        updated = int(status.get("updatedReplicas") or 0)
        ready = int(status.get("availableReplicas") or 0)
    late = _given_up(obj)
    if late is not None:
        return Seen(lost=True, why=f"{name}: {late.get('message', '')}")
    total = int(status.get("replicas") or 0) if kind == "Deployment" else wanted
    if updated >= wanted and ready >= wanted and total <= wanted:
        return WELL
    return Seen(why=f"{name}: {ready} of {wanted} available, {updated} updated")


def _given_up(obj: Json) -> Json | None:
    """The condition by which a Deployment's controller gave up what is asked for now.

    On the way back to pods that are there already, the controller counts the new generation as
    observed while the condition still speaks of the one before. So one counts that came after the
    specification's last change (both times are whole seconds, a deadline is at least one).
    """
    for one in (obj.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded":
            changed, said = _changed(obj), str(one.get("lastUpdateTime") or "")
            return one if not changed or not said or said > changed else None
    return None


def _changed(obj: Json) -> str:
    """When somebody last changed the specification, in the API server's words; "" if unknown."""
    times = (
        str(one.get("time") or "")
        for one in obj["metadata"].get("managedFields") or ()
        if not one.get("subresource") and "f:spec" in (one.get("fieldsV1") or {})
    )
    return max(times, default="")


def _of_job(name: str, status: Json) -> Seen:
    for one in status.get("conditions") or ():
        if one.get("status") == "True" and one.get("type") == "Complete":
            return WELL
        if one.get("status") == "True" and one.get("type") == "Failed":
            return Seen(lost=True, why=f"{name}: {one.get('message', 'it failed')}")
    return Seen(why=f"{name} runs")


def of_rollout(obj: Json) -> Seen:
    """How a Rollout is, by its phase (which its controller states for the observed generation)."""
    name = f"Rollout {obj['metadata']['name']}"
    status = obj.get("status") or {}
    if str(status.get("observedGeneration", "")) != str(obj["metadata"].get("generation", "")):
        return Seen(why=f"{name} has not been looked at yet")
    phase, message = str(status.get("phase", "")), str(status.get("message", ""))
    if phase == "Healthy":
        return WELL
    if phase == "Degraded" or status.get("abort"):
        return Seen(lost=True, why=f"{name} is {phase}: {message}".rstrip(": "))
    return Seen(why=f"{name} is {phase or 'new'}: {message}".rstrip(": "))


class Way(StrEnum):
    """How a deployment is coming along."""

    COMING = "coming"
    ARRIVED = "arrived"
    REFUSED = "refused"


class Arrival(Struct, frozen=True, kw_only=True):
    """How far it is. `traffic`: new pods answer already. `aside`: Rollouts of ours that wait in
    their steps (for a full promotion)."""

    way: Way
    why: str = ""
    traffic: bool = False
    aside: tuple[tuple[str, str], ...] = ()


def judge(
    application: Json | None, workloads: Sequence[Json], *, revision: str, digest: str, chart: str
) -> Arrival:
    """Whether an application runs a chart's version (`revision`) with that digest.

    `workloads`: those that the application's status lists, as they are now.
    """
    if application is None:
        return Arrival(way=Way.COMING, why="there is no such Application")
    waiting = _not_synced(application, revision, chart)
    if waiting:
        failed = _failed(application, revision)
        return Arrival(way=Way.REFUSED if failed else Way.COMING, why=failed or waiting)
    ours = [one for one in workloads if digest in "\n".join(images(one))]
    if not ours:
        return Arrival(way=Way.COMING, why=f"nothing runs {digest[:19]} yet")
    return _of_workloads(application, workloads, ours)


def _of_workloads(application: Json, every: Sequence[Json], ours: Sequence[Json]) -> Arrival:
    """How a synced application's workloads are; `ours` run the digest."""
    traffic = any(_answers(one) for one in ours)
    refused = [seen.why for one in ours if (seen := of_workload(one)).lost]
    if refused:
        return Arrival(way=Way.REFUSED, why="; ".join(refused), traffic=traffic)
    aside = tuple(
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in ours
        if one["kind"] == "Rollout" and not of_workload(one).well
    )
    behind = [seen.why for one in every if not (seen := of_workload(one)).well]
    health = ((application.get("status") or {}).get("health") or {}).get("status", "")
    why = "; ".join(behind) or ("" if health == "Healthy" else f"the application is {health}")
    way = Way.COMING if why else Way.ARRIVED
    return Arrival(way=way, why=why, traffic=traffic or not why, aside=aside)


def _not_synced(application: Json, revision: str, chart: str) -> str:
    """Why the application has not taken the revision up yet; "" when it has."""
    status = application.get("status") or {}
    sync = status.get("sync") or {}
    compared = (sync.get("comparedTo") or {}).get("source") or {}
    found = str(sync.get("revision", ""))
    if compared and compared.get("chart") not in (None, chart):
        return "the application has another chart"
    if found != revision:
        return f"the application is at {found or 'nothing'}, not at {revision}"
    if sync.get("status") != "Synced":
        return f"the application is {sync.get('status', 'not compared')}"
    return ""


def _failed(application: Json, revision: str) -> str:
    """A sync of this very revision that was given up."""
    operation = (application.get("status") or {}).get("operationState") or {}
    result = operation.get("syncResult") or {}
    if operation.get("phase") in {"Failed", "Error"} and result.get("revision") == revision:
        return f"its sync failed: {operation.get('message', '')}"
    return ""


def images(obj: Json) -> Iterator[str]:
    """The images that a workload's pods run."""
    spec = (((obj.get("spec") or {}).get("template") or {}).get("spec")) or {}
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        yield str(container.get("image", ""))


def _answers(obj: Json) -> bool:
    """Whether a pod of the newest template surely gets requests, as the status tells it."""
    status = obj.get("status") or {}
    generation = str(obj["metadata"].get("generation", ""))
    if str(status.get("observedGeneration", "")) != generation:
        return False  # it speaks of the template before
    newest = status.get("currentPodHash")
    if newest and newest == status.get("stableRS"):
        return True
    if shown := status.get("blueGreen"):
        return bool(shown.get("activeSelector") == newest)
    if weights := (status.get("canary") or {}).get("weights"):
        side = weights.get("canary") or {}
        return bool(side.get("podTemplateHash") == newest and side.get("weight"))
    return _some_updated(status)


def _some_updated(status: Json) -> bool:
    """Whether more pods are available than there are old ones."""
    names = ("replicas", "updatedReplicas", "availableReplicas")
    if "currentNumberScheduled" in status:  # a DaemonSet
        names = ("currentNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    every, updated, available = (int(status.get(name) or 0) for name in names)
    return updated > 0 and available > every - updated


def resources(application: Json | None) -> list[tuple[str, str, str, str, str]]:
    """(group, version, kind, namespace, name) of the workloads that an application's status
    lists."""
    found = ((application or {}).get("status") or {}).get("resources") or ()
    return [
        (one.get("group", ""), one["version"], one["kind"], one.get("namespace", ""), one["name"])
        for one in found
        if one.get("kind") in WORKLOADS and one.get("kind") != "Job"
    ]
