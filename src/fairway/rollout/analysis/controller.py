"""Carries AnalysisRuns out: looks, and writes what was found. Decisions are in `judge`.

One task for each cluster; a run is worked on by the process that holds its shard. A run's status is
written once a look, conditional on the version that was looked at: two processes never count one
measurement twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fairway.kit import clock
from fairway.kit.aio import background, together
from fairway.kube import objects
from fairway.kube.client import Kube
from fairway.kube.crd import ensure
from fairway.kube.errors import KubeConflict
from fairway.kube.fleet import Fleet, Member, each
from fairway.kube.informer import Informer, own_key
from fairway.kube.kind import Json, Key
from fairway.kube.page import Selection
from fairway.kube.subset import ensure_policy, unsupported
from fairway.kube.workqueue import WorkQueue
from fairway.queue.shards import Shards, key_of, shard_of
from fairway.rollout import recorder
from fairway.rollout.analysis import judge
from fairway.rollout.analysis.crds import (
    ANALYSIS_RUN,
    CRDS,
    EXPERIMENT,
    EXPERIMENT_RULES,
    RULES,
)
from fairway.rollout.analysis.looking import Looked, Looker
from fairway.rollout.analysis.model import ENDED, ERROR, FAILED, Status, status_of
from fairway.rollout.metric import Place
from fairway.rollout.metrics import job

_WORKERS: Final = 16  # slow metrics wait in these, and hold up others only when all are taken
_SYNC_S: Final = 60.0
_SOON_S: Final = 0.002


class Analysis:
    """The controller of AnalysisRuns in every cluster of a fleet."""

    def __init__(self, fleet: Fleet, shards: Shards, looker: Looker) -> None:
        self._fleet, self._shards, self._looker = fleet, shards, looker

    async def run(self) -> None:
        """Work until cancelled."""
        async with together() as group:
            group.create_task(self._shards.run(), name="shards of analysis")
            group.create_task(each(self._fleet, self._work_in, name="analysis"), name="analysis")

    async def _work_in(self, member: Member) -> None:
        kube = member.client()
        await ensure(kube, CRDS)
        if member.home:
            for crd in CRDS:
                rules = EXPERIMENT_RULES if crd.kind == EXPERIMENT else RULES
                await ensure_policy(kube, crd.kind, rules)
        await InCluster(member.name, kube, self._shards, self._looker).run()


class InCluster:
    """The runs of one cluster."""

    def __init__(self, name: str, kube: Kube, shards: Shards, looker: Looker) -> None:
        self._name, self._kube = name, kube
        self._shards, self._looker = shards, looker
        self._queue: WorkQueue[Key] = WorkQueue(f"analysis in {name}")
        self._runs = Informer(kube, ANALYSIS_RUN)
        self._jobs = Informer(kube, job.JOB, selection=Selection(labels=job.UID))
        self._experiments = Informer(kube, EXPERIMENT)
        self._strange: WorkQueue[Key] = WorkQueue(f"experiments in {name}")

    async def run(self) -> None:
        """Work until cancelled. Raises `KubeUnavailable` when the runs cannot be read."""
        refusing = self._strange.run(self._refuse, workers=1)
        followed = (self._runs, self._jobs, self._experiments)
        async with background(*(one.run() for one in followed), refusing):
            await self._runs.wait_synced(_SYNC_S)
            self._experiments.feed(self._strange, own_key)
            self._runs.feed(self._queue, own_key)
            self._jobs.feed(self._queue, _run_of)
            stop = self._shards.on_gain(self._gained)
            try:
                await self._queue.run(self._work, workers=_WORKERS)
            finally:
                stop()

    def _gained(self, shards: frozenset[int]) -> None:
        for run in self._runs.store:
            key = objects.key(run)
            if shard_of(self._sharded(key)) in shards:
                self._queue.add(key)

    def _sharded(self, key: Key) -> str:
        return key_of(self._name, key.namespace, key.name)

    async def _work(self, key: Key) -> float | None:
        return await self._shards.guarded(self._sharded(key), lambda: self._reconcile(key))

    async def _reconcile(self, key: Key) -> float | None:
        """Look at a run; the seconds after which to look again."""
        run = self._runs.store.get(key)
        if run is None or objects.deleting(run):
            return None
        status = status_of(run)
        if status.phase in ENDED:
            return await self._expire(run, status)
        found = await self._looker.look(Place(cluster=self._name, kube=self._kube, run=run))
        if found.status != status:
            # What is written comes back as a change, and is looked at again.
            await self._finish(run, status, found)
        return _until(found.again_at)

    async def _refuse(self, key: Key) -> None:
        """Say of an Experiment that it is not carried out, where admission has not."""
        found = self._experiments.store.get(key)
        problems = unsupported(found, EXPERIMENT_RULES) if found else []
        if found is None or not problems or (found.get("status") or {}).get("phase") == ERROR:
            return
        status = {"phase": ERROR, "message": "; ".join(map(str, problems))}
        body = {"metadata": {"resourceVersion": objects.version(found)}, "status": status}
        await self._kube.patch(EXPERIMENT, key.name, key.namespace, body=body)

    async def _expire(self, run: Json, status: Status) -> float | None:
        """Delete a finished run when its time has come."""
        at = judge.expires_at(status, (run.get("spec") or {}).get("ttlStrategy"))
        if at is not None and at <= clock.seconds():
            key, uid = objects.key(run), objects.uid(run)
            await self._kube.delete(ANALYSIS_RUN, key.name, key.namespace, uid=uid)
            return None
        return _until(at)

    async def _finish(self, run: Json, before: Status, found: Looked) -> None:
        """Write a run's status, and tell of it."""
        written = await self._write(run, before, found.status)
        self._runs.observe(written)
        for metric, phase in found.ended:
            said = f"Metric '{metric}' Completed. Result: {phase}"
            await self._tell(written, f"Metric{phase}", said, phase)
        phase = found.status.phase
        if phase in ENDED:
            said = f"Analysis Completed. Result: {phase}"
            await self._tell(written, f"AnalysisRun{phase}", said, phase)

    async def _write(self, run: Json, before: Status, status: Status) -> Json:
        """Write a status on the version that was looked at.

        Who changed something else meanwhile (a wish to terminate) does not cost the measurement:
        where the status is the one that was looked at, it is written on the newer version.
        """
        try:
            return await self._patch(run, status)
        except KubeConflict:
            key = objects.key(run)
            now = await self._kube.get(ANALYSIS_RUN, key.name, key.namespace)
            if objects.uid(now) != objects.uid(run) or status_of(now) != before:
                raise
            return await self._patch(now, status)

    async def _patch(self, run: Json, status: Status) -> Json:
        key = objects.key(run)
        body = {
            "metadata": {"resourceVersion": objects.version(run)},
            "status": changes(run.get("status") or {}, status.json()),
        }
        return await self._kube.patch(ANALYSIS_RUN, key.name, key.namespace, body=body)

    async def _tell(self, run: Json, reason: str, message: str, phase: str) -> None:
        bad = phase in (ERROR, FAILED)
        await recorder.tell(
            self._kube, run, reason=reason, message=message, type="Warning" if bad else "Normal"
        )


def changes(old: Any, new: Any) -> Any:
    """A merge patch that makes `new` of `old`. Pure."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone = {name: None for name in old if name not in new}
    return {**gone, **{name: changes(old.get(name), value) for name, value in new.items()}}


def _run_of(found: Json) -> Iterable[Key]:
    """The run that a Job belongs to."""
    name = objects.notes(found).get(job.RUN_NAME)
    return [Key(objects.key(found).namespace, name)] if name else []


def _until(at: float | None) -> float | None:
    return None if at is None else max(at - clock.seconds(), 0.0) + _SOON_S
