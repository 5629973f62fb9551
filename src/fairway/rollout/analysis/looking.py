"""One look at a run: takes the measurements that are due, side by side, and judges all of them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from fairway.kit import clock
from fairway.kit.aio import together
from fairway.model.errors import InvalidInput
from fairway.rollout.analysis import args, checking, judge
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.judge import Due, Run
from fairway.rollout.analysis.loading import load, secrets
from fairway.rollout.analysis.model import (
    ERROR,
    Measurement,
    Metric,
    Status,
    status_of,
)
from fairway.rollout.metric import Place, Provider


class Looked(Struct, frozen=True):
    """What a look found: the status to write, metrics that ended with it, when to look again."""

    status: Status
    ended: tuple[tuple[str, str], ...] = ()
    again_at: float | None = None  # time of day in seconds


class Looker:
    """Looks at runs with the providers by name."""

    def __init__(self, providers: Mapping[str, Provider], conditions: Conditions) -> None:
        self._providers = providers
        self._conditions = conditions

    async def look(self, place: Place) -> Looked:
        """Measure and judge. Raises `Unavailable`; it may be repeated."""
        try:
            run = await load(place.run, self._conditions)
            run = await self._measured(place, run)
        except InvalidInput as error:
            # As in Argo, such a run has no time of completion: it is kept until its Rollout goes.
            broken = status_of(place.run)
            return Looked(replace(broken, phase=ERROR, message=error.message))
        judged = judge.assess(run, clock.seconds())
        trimmed = judge.trim(judged.run)
        await self._collect(place, judged.run, trimmed)
        again = judge.next_time(trimmed, clock.seconds())
        return Looked(trimmed.status, judged.ended, again)

    async def _measured(self, place: Place, run: Run) -> Run:
        due = judge.due(run, clock.seconds())
        if not due:
            return run
        known = await secrets(place.kube, place.run, place.namespace)
        given = {one["name"]: one for one in place.run["spec"]["metrics"]}
        full = [args.resolved(given[one.metric.name], known.args) for one in due]
        async with together() as group:
            tasks = [
                group.create_task(self._measure(place, run, one, metric))
                for one, metric in zip(due, full, strict=True)
            ]
        now = clock.seconds()
        for one, metric, task in zip(due, full, tasks, strict=True):
            notes = self._provider(metric).metadata(metric)
            notes = {name: known.hide(value) for name, value in notes.items()}
            run = judge.take(run, one, known.hidden(task.result()), now, metadata=notes)
        return run

    async def _measure(self, place: Place, run: Run, due: Due, metric: Metric) -> Measurement:
        provider = self._provider(metric)
        if due.unfinished is None:
            return await provider.begin(place, metric, run.status.result(metric.name))
        if not run.terminating:
            return await provider.resume(place, metric, due.unfinished)
        ended = await provider.terminate(place, metric, due.unfinished)
        return ended if ended.phase == ERROR else replace(ended, message="Metric Terminated")

    def _provider(self, metric: Metric) -> Provider:
        return self._providers[checking.provider(metric)[0]]

    async def _collect(self, place: Place, before: Run, after: Run) -> None:
        """Have providers remove what belongs to measurements that are not kept."""
        for metric in before.metrics:
            had, has = before.status.result(metric.name), after.status.result(metric.name)
            if had is not None and has is not None and had.measurements != has.measurements:
                await self._provider(metric).collect(place, metric, len(has.measurements))
