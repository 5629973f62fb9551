"""Which measurements are due, and what all of them together mean. Pure: no clock, no I/O.

Limits, orders and sentences are those of Argo Rollouts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from fairway.kit import goduration
from fairway.rollout.analysis.model import (
    ENDED,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    PENDING,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    Metric,
    Result,
    Status,
    Summary,
    seconds,
    stamp,
    whole,
)

ERROR_RETRY_S: Final = 10.0
KEPT: Final = 10
_ORDER: Final = (SUCCESSFUL, RUNNING, PENDING, INCONCLUSIVE, ERROR, FAILED)
_BAD: Final = frozenset({FAILED, ERROR, INCONCLUSIVE})


class Run(Struct, frozen=True, kw_only=True):
    """A run with its metrics' arguments filled in, but for secrets."""

    metrics: tuple[Metric, ...]
    status: Status
    terminate: bool = False
    dry_run: frozenset[str] = frozenset()
    retention: Mapping[str, int] = {}  # measurements kept, where others than `KEPT`

    @property
    def terminating(self) -> bool:
        """Whether it was told to stop, or must: nothing new is measured then."""
        bad = (one for one in self.status.metric_results if not one.dry_run)
        return self.terminate or any(one.phase in _BAD for one in bad)


class Due(Struct, frozen=True):
    """A measurement to take now, or to go on with."""

    metric: Metric
    unfinished: Measurement | None = None


def worse(one: str, other: str) -> bool:
    """Whether `other` is the worse phase."""
    return _place(other) > _place(one)


def _place(phase: str) -> int:
    return _ORDER.index(phase) if phase in _ORDER else 0


def due(run: Run, now: float) -> list[Due]:
    """What is to be measured at a time of day (seconds)."""
    found = []
    for metric in run.metrics:
        result = run.status.result(metric.name)
        if result is not None and result.phase in ENDED:
            continue
        last = result.last if result else None
        if last is not None and last.finished_at is None:
            if run.terminating or last.resume_at is None or seconds(last.resume_at) <= now:
                found.append(Due(metric, last))
        elif not run.terminating and _is_due(run, metric, result, now):
            found.append(Due(metric))
    return found


def _is_due(run: Run, metric: Metric, result: Result | None, now: float) -> bool:
    if result is None or result.last is None:
        if metric.initial_delay and not run.status.started_at:
            return False  # this look is what begins the run
        return _delayed_until(run, metric, now) <= now
    next_at = _next_at(metric, result)
    return next_at is not None and now > next_at


def _delayed_until(run: Run, metric: Metric, now: float) -> float:
    """When the first measurement may be taken."""
    if not metric.initial_delay:
        return now
    began = seconds(run.status.started_at) if run.status.started_at else now
    return began + goduration.seconds(metric.initial_delay)


def _next_at(metric: Metric, result: Result) -> float | None:
    """When a metric is measured again after its last, finished measurement; None for never."""
    last = result.last
    assert last is not None  # noqa: S101 callers have asked
    if metric.wanted is not None and result.count >= metric.wanted:
        return None
    if last.phase == ERROR or not metric.interval:
        pause = ERROR_RETRY_S
    else:
        pause = goduration.seconds(metric.interval)
    return seconds(last.finished_at or "") + pause


def next_time(run: Run, now: float) -> float | None:
    """When the run has to be looked at again; None when only others' changes matter."""
    times = []
    for metric in run.metrics:
        result = run.status.result(metric.name)
        if result is not None and result.phase in ENDED:
            continue
        last = result.last if result else None
        at: float | None = None
        if result is None or last is None:
            # Without a delay it is measured in the look that begins the run.
            at = _delayed_until(run, metric, now) if metric.initial_delay else None
        elif last.finished_at is None:
            at = seconds(last.resume_at) if last.resume_at else None
        elif metric.interval or last.phase == ERROR:
            at = _next_at(metric, result)
        if at is not None:
            times.append(at)
    return min(times, default=None)


# ---- taking a measurement in ---------------------------------------------------------------------


def take(
    run: Run, given: Due, measured: Measurement, now: float, *, metadata: Mapping[str, str]
) -> Run:
    """The run with a measurement, or with the end of one that was unfinished."""
    name = given.metric.name
    result = run.status.result(name) or Result(
        name, RUNNING, dry_run=name in run.dry_run, metadata=dict(metadata)
    )
    if measured.phase in ENDED:
        if measured.finished_at is None:
            measured = replace(measured, finished_at=stamp(now))
        result = _counted(result, measured.phase)
    before = result.measurements[:-1] if given.unfinished is not None else result.measurements
    result = replace(result, measurements=(*before, measured))
    return replace(run, status=_with(run.status, result))


def _counted(result: Result, phase: str) -> Result:
    if phase == ERROR:
        return replace(
            result,
            error=result.error + 1,
            consecutive_error=result.consecutive_error + 1,
            consecutive_success=0,
        )
    name = phase.lower()
    good = phase == SUCCESSFUL
    return replace(
        result,
        count=result.count + 1,
        consecutive_error=0,
        consecutive_success=result.consecutive_success + 1 if good else 0,
        **{name: getattr(result, name) + 1},
    )


def _with(status: Status, result: Result) -> Status:
    results = status.metric_results
    if status.result(result.name) is None:
        return replace(status, metric_results=(*results, result))
    changed = (result if one.name == result.name else one for one in results)
    return replace(status, metric_results=tuple(changed))


# ---- judging -------------------------------------------------------------------------------------


class Judged(Struct, frozen=True):
    """The run with its phase, and the metrics that ended with this look, in order."""

    run: Run
    ended: tuple[tuple[str, str], ...]


def assess(run: Run, now: float) -> Judged:
    """Give every metric and the run their phase."""
    terminating = run.terminating  # as it was before this look
    status = replace(run.status, started_at=run.status.started_at or stamp(now))
    ended: list[tuple[str, str]] = []
    for metric in run.metrics:
        result = status.result(metric.name)
        if result is None:
            continue
        phase = metric_phase(metric, result, terminating=terminating)
        if phase != result.phase:
            if phase in ENDED:
                ended.append((metric.name, phase))
            message = result.last.message if result.last else result.message
            status = _with(status, replace(result, phase=phase, message=message))
    status, phase, message = _overall(replace(run, status=status), terminating=terminating)
    if phase != run.status.phase:
        completed = stamp(now) if phase in ENDED else None
        completed = status.completed_at or completed
        status = replace(status, phase=phase, message=message, completed_at=completed)
    return Judged(replace(run, status=status), tuple(ended))


def metric_phase(metric: Metric, result: Result, *, terminating: bool) -> str:
    """A metric's phase by its measurements and its limits."""
    if result.phase in ENDED:
        return result.phase
    if result.last is None:
        return SUCCESSFUL if terminating else PENDING
    if result.last.phase not in ENDED:
        return RUNNING
    return _measured_phase(metric, result) or (SUCCESSFUL if terminating else RUNNING)


def _measured_phase(metric: Metric, result: Result) -> str:
    """The phase of a metric that has ended by its measurements; "" while it goes on."""
    over = past_limit(metric, result)
    if over is not None:
        return over[0]
    in_a_row = whole(metric.consecutive_success_limit)
    if 0 < in_a_row <= result.consecutive_success:
        return SUCCESSFUL
    if metric.wanted is not None and result.count >= metric.wanted:
        return _at_count(metric, in_a_row)
    return ""


def _at_count(metric: Metric, in_a_row: int) -> str:
    """Everything was measured, and no limit was passed."""
    if in_a_row <= 0:
        return SUCCESSFUL
    limited = metric.failure_limit is None or whole(metric.failure_limit) >= 0
    return INCONCLUSIVE if limited else FAILED


def past_limit(metric: Metric, result: Result) -> tuple[str, str] | None:
    """The phase that a passed limit means, and why; of several the worst named last by Argo."""
    found = None
    limit = whole(metric.failure_limit)
    if 0 <= limit < result.failed:
        found = (FAILED, f"failed ({result.failed}) > failureLimit ({limit})")
    limit = whole(metric.inconclusive_limit)
    if result.inconclusive > limit:
        said = f"inconclusive ({result.inconclusive}) > inconclusiveLimit ({limit})"
        found = (INCONCLUSIVE, said)
    if result.consecutive_error > metric.errors:
        found = (
            ERROR,
            f"consecutiveErrors ({result.consecutive_error}) > "
            f"consecutiveErrorLimit ({metric.errors})",
        )
    return found


def _overall(run: Run, *, terminating: bool) -> tuple[Status, str, str]:
    """The status with its summaries, the run's phase, and its message."""
    worst, message = "", "Run Terminated" if run.terminate else ""
    complete = True
    results: list[Result] = []
    for metric in run.metrics:
        result = run.status.result(metric.name)
        if result is None or result.phase not in ENDED:
            complete = False
            continue
        results.append(result)
        said = past_limit(metric, result)
        if result.name in run.dry_run:
            worst = worst or SUCCESSFUL
        elif not worst or worse(worst, result.phase):
            worst = result.phase
            message = _message(result, said[1]) if said else message
    status = _noted(run, results)
    if terminating:
        return status, worst or SUCCESSFUL, message.strip()
    if not complete or not worst:
        return status, RUNNING, ""
    return status, worst, message.strip()


def _message(result: Result, why: str) -> str:
    said = f'Metric "{result.name}" assessed {result.phase} due to {why}'
    return f'{said}: "Error Message: {result.message}"' if result.message else said


def _noted(run: Run, ended: Sequence[Result]) -> Status:
    """The summaries, and why dry runs would have ended the run."""
    status = run.status
    metrics = {metric.name: metric for metric in run.metrics}
    for result in ended:
        said = past_limit(metrics[result.name], result)
        if result.name in run.dry_run and said:
            why = f"Metric assessed {result.phase} due to {said[1]}"
            status = _with(status, replace(result, message=why))
    real = [name for name in metrics if name not in run.dry_run]
    dry = [name for name in metrics if name in run.dry_run]
    return replace(
        status,
        run_summary=_summary(run, real, ended),
        dry_run_summary=_summary(run, dry, ended),
    )


def _summary(run: Run, names: Sequence[str], ended: Iterable[Result]) -> Summary:
    """By the limit that was passed: what ended otherwise counts as successful, as in Argo."""
    metrics = {metric.name: metric for metric in run.metrics}
    counts = {"successful": 0, "failed": 0, "inconclusive": 0, "error": 0}
    for result in ended:
        if result.name in names:
            said = past_limit(metrics[result.name], result)
            counts[said[0].lower() if said else "successful"] += 1
    return Summary(count=len(names), **counts)


def trim(run: Run) -> Run:
    """The run with only so many measurements of each metric as are kept."""
    known = {metric.name for metric in run.metrics}
    results = tuple(
        replace(result, measurements=result.measurements[-run.retention.get(result.name, KEPT) :])
        if result.name in known
        else result
        for result in run.status.metric_results
    )
    return replace(run, status=replace(run.status, metric_results=results))


def expires_at(status: Status, ttl: Mapping[str, int | None] | None) -> float | None:
    """When a finished run is to be deleted; None for never."""
    if ttl is None or status.phase not in ENDED or status.completed_at is None:
        return None
    by_phase = {SUCCESSFUL: "secondsAfterSuccess", FAILED: "secondsAfterFailure"}
    after = ttl.get(by_phase.get(status.phase, ""))
    after = ttl.get("secondsAfterCompletion") if after is None else after
    return None if after is None else seconds(status.completed_at) + after + 1
