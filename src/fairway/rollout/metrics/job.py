"""The provider `job`: a Job of the run's cluster that succeeds or fails.

A Job that fails, or that can never start, does not pass; one that somebody deleted is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from fairway.kit import clock
from fairway.kube import objects
from fairway.kube.errors import KubeExists
from fairway.kube.kind import Json, Kind
from fairway.kube.page import Selection
from fairway.model.errors import FairwayError
from fairway.rollout.analysis import checking
from fairway.rollout.analysis.crds import ANALYSIS_RUN
from fairway.rollout.analysis.model import (
    ERROR,
    FAILED,
    INCONCLUSIVE,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    Metric,
    Result,
    seconds,
    stamp,
)
from fairway.rollout.metric import Place

JOB: Final = Kind("batch", "v1", "jobs", "Job")
_POD: Final = Kind("", "v1", "pods", "Pod")
UID: Final = "analysisrun.argoproj.io/uid"
RUN_NAME: Final = "analysisrun.argoproj.io/name"
_RUN_NAMESPACE: Final = "analysisrun.argoproj.io/namespace"
_METRIC: Final = "analysisrun.argoproj.io/metric-name"
_JOB_NAME: Final = "job-name"
_JOB_NAMESPACE: Final = "job-namespace"
_LONGEST: Final = 63  # of a name that is a label of the Job's pods as well
_STUCK: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})


class Job:
    """`Provider` over the cluster's Jobs. A Job's name follows from the run and the number of its
    measurement: after a crash it is found, not made again.
    """

    def metadata(self, metric: Metric) -> dict[str, str]:  # noqa: ARG002 there is none
        """Nothing."""
        return {}

    async def begin(self, place: Place, metric: Metric, result: Result | None) -> Measurement:
        """See `Provider`: makes the Job."""
        now = stamp(clock.seconds())
        made = Measurement(RUNNING, started_at=now)
        job = job_of(place.run, metric, result)
        name = job["metadata"]["name"]
        try:
            await self._made(place, job)
        except FairwayError as error:
            if error.retriable:
                raise
            return replace(made, phase=ERROR, message=str(error), finished_at=now)
        names = {_JOB_NAME: name, _JOB_NAMESPACE: place.namespace}
        return replace(made, metadata=names, resume_at=now)

    async def _made(self, place: Place, job: Json) -> None:
        try:
            await place.kube.create(JOB, job, strict=False)
        except KubeExists:
            there = await place.kube.get(JOB, job["metadata"]["name"], place.namespace)
            owner = objects.controller(there) or {}
            if owner.get("uid") != objects.uid(place.run):
                raise

    async def resume(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:  # noqa: ARG002 its Job says all
        """See `Provider`: looks at the Job, and at its pods while it is not done."""
        now = clock.seconds()
        try:
            name = _name(unfinished)
            job = await place.kube.get(JOB, name, place.namespace)
        except FairwayError as error:
            return _failed(unfinished, error)
        ended = phase_of(job)
        if ended:
            return replace(unfinished, phase=ended, finished_at=stamp(now))
        stuck = problem_of(await self._pods(place, job))
        if stuck:
            return replace(unfinished, phase=INCONCLUSIVE, message=stuck, finished_at=stamp(now))
        # Its end wakes us; what only its pods tell is looked for ever more rarely.
        elapsed = max(now - seconds(unfinished.started_at or ""), 0.5)
        return replace(unfinished, resume_at=stamp(now + math.sqrt(2 * elapsed) + 1))

    async def _pods(self, place: Place, job: Json) -> list[Json]:
        uid = objects.uid(job)
        labels = f"batch.kubernetes.io/controller-uid={uid}"
        return await place.kube.list(_POD, Selection(namespace=place.namespace, labels=labels))

    async def terminate(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:  # noqa: ARG002 its Job is all there is
        """See `Provider`: deletes the Job with its pods."""
        try:
            name = _name(unfinished)
            await place.kube.delete(JOB, name, place.namespace, propagation="Foreground")
        except FairwayError as error:
            return _failed(unfinished, error)
        return replace(unfinished, phase=INCONCLUSIVE, finished_at=stamp(clock.seconds()))

    async def collect(self, place: Place, metric: Metric, keep: int) -> None:
        """See `Provider`: deletes the metric's oldest Jobs."""
        labels = f"{UID}={objects.uid(place.run)}"
        found = await place.kube.list(JOB, Selection(namespace=place.namespace, labels=labels))
        own = [job for job in found if objects.notes(job).get(_METRIC) == metric.name]
        own.sort(key=lambda job: (objects.metadata(job)["creationTimestamp"], objects.key(job)))
        for job in own[: max(len(own) - keep, 0)]:
            name = objects.key(job).name
            await place.kube.delete(JOB, name, place.namespace, propagation="Foreground")


def _failed(unfinished: Measurement, error: FairwayError) -> Measurement:
    """A measurement in error; an error that may pass is raised: the cluster is asked again."""
    if error.retriable:
        raise error
    ended = stamp(clock.seconds())
    return replace(unfinished, phase=ERROR, message=str(error), finished_at=ended)


def _name(measurement: Measurement) -> str:
    found = measurement.metadata.get(_JOB_NAME)
    if not found:
        raise _Missing("job metadata reference missing", code="bad-analysis")
    return found


class _Missing(FairwayError):
    """A measurement that does not say which Job it is."""


def job_of(run: Mapping[str, Any], metric: Metric, result: Result | None) -> Json:
    """The Job of a run's next measurement. Pure."""
    given = objects.copy(checking.provider(metric)[1])
    meta, spec = given.get("metadata") or {}, given.get("spec") or {}
    uid, namespace = objects.uid(run), objects.key(run).namespace
    number = result.count + result.error + 1 if result else 1
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    template["labels"] = {**(template.get("labels") or {}), UID: uid}
    notes = {
        RUN_NAME: objects.key(run).name,
        _RUN_NAMESPACE: namespace,
        _METRIC: metric.name,
    }
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {
            "name": name_of(uid, metric.name, number),
            "namespace": namespace,
            "labels": {**(meta.get("labels") or {}), UID: uid},
            "annotations": {**(meta.get("annotations") or {}), **notes},
            "ownerReferences": [
                {
                    "apiVersion": ANALYSIS_RUN.api_version,
                    "kind": ANALYSIS_RUN.kind,
                    "name": objects.key(run).name,
                    "uid": uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


def name_of(uid: str, metric: str, number: int) -> str:
    """A Job's name, with the metric's name cut where it would be too long."""
    over = len(f"{uid}.{metric}.{number}") - _LONGEST
    return f"{uid}.{metric[: len(metric) - over] if over > 0 else metric}.{number}"


def phase_of(job: Mapping[str, Any]) -> str:
    """How a Job ended; "" while it has not."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    true = {one.get("type") for one in conditions if one.get("status", "True") == "True"}
    if "Failed" in true:
        return FAILED
    return SUCCESSFUL if "Complete" in true else ""


def problem_of(pods: Iterable[Mapping[str, Any]]) -> str:
    """Why a Job's pods can never start; "" when nothing says so."""
    for pod in pods:
        status = pod.get("status") or {}
        for kind in ("initContainerStatuses", "containerStatuses"):
            for one in status.get(kind) or ():
                waiting = (one.get("state") or {}).get("waiting") or {}
                if waiting.get("reason") in _STUCK:
                    return (
                        f"Pod {objects.key(pod).name}, container {one.get('name')} has terminal "
                        f"error ({waiting['reason']}): {waiting.get('message') or ''}"
                    )
    return ""
