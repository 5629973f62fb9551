"""Which measurements are due, and what they mean: tables, and runs from begin to end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairway.rollout.analysis import judge
from fairway.rollout.analysis.judge import Due, Run
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
    stamp,
)

T0 = 1_800_000_000.0


def metric(name: str = "m", **fields: Any) -> Metric:
    return Metric(name=name, provider={"job": {}}, **fields)


def measured(phase: str, at: float = T0) -> Measurement:
    return Measurement(phase, started_at=stamp(at), finished_at=stamp(at))


def run_of(*metrics: Metric, **fields: Any) -> Run:
    return Run(metrics=metrics, status=Status(phase=RUNNING, started_at=stamp(T0)), **fields)


def after(run: Run, metric: Metric, *phases: str) -> Run:
    for phase in phases:
        run = judge.take(run, Due(metric), measured(phase), T0, metadata={})
    return run


@pytest.mark.parametrize(
    ("fields", "phases", "wanted"),
    [
        ({}, [SUCCESSFUL], SUCCESSFUL),
        ({}, [FAILED], FAILED),
        ({}, [INCONCLUSIVE], INCONCLUSIVE),
        ({}, [ERROR], RUNNING),
        ({}, [ERROR] * 5, ERROR),
        ({"consecutive_error_limit": 0}, [ERROR], ERROR),
        ({"interval": "1s"}, [SUCCESSFUL] * 20, RUNNING),
        ({"interval": "1s", "count": "3"}, [SUCCESSFUL] * 3, SUCCESSFUL),
        ({"interval": "1s", "count": 3, "failure_limit": 1}, [FAILED, SUCCESSFUL], RUNNING),
        ({"interval": "1s", "count": 3, "failure_limit": 1}, [FAILED, FAILED], FAILED),
        ({"interval": "1s", "count": 2, "inconclusive_limit": 2}, [INCONCLUSIVE] * 2, SUCCESSFUL),
        ({"interval": "1s", "consecutive_success_limit": 2}, [SUCCESSFUL] * 2, SUCCESSFUL),
        (
            {"interval": "1s", "consecutive_success_limit": 2, "failure_limit": 5},
            [SUCCESSFUL, FAILED, SUCCESSFUL],
            RUNNING,
        ),
        (
            {"interval": "1s", "count": 2, "consecutive_success_limit": 2, "failure_limit": 9},
            [SUCCESSFUL, FAILED],
            INCONCLUSIVE,
        ),
        (
            {"interval": "1s", "count": 2, "consecutive_success_limit": 2, "failure_limit": -1},
            [SUCCESSFUL, FAILED],
            FAILED,
        ),
    ],
)
def test_a_metrics_phase_follows_from_its_measurements(
    fields: dict[str, Any], phases: list[str], wanted: str
) -> None:
    given = metric(**fields)
    found = judge.assess(after(run_of(given), given, *phases), T0).run.status
    assert found.phase == wanted
    assert (found.completed_at is not None) == (wanted in ENDED)


def test_a_limit_that_is_passed_is_said() -> None:
    given = metric()
    run = judge.take(
        run_of(given),
        Due(given),
        Measurement(FAILED, message="too slow", finished_at=stamp(T0)),
        T0,
        metadata={"ResolvedPrometheusQuery": "q"},
    )
    status = judge.assess(run, T0).run.status
    assert status.message == (
        'Metric "m" assessed Failed due to failed (1) > failureLimit (0): "Error Message: too slow"'
    )
    assert status.run_summary == Summary(count=1, failed=1)
    assert status.metric_results[0].metadata == {"ResolvedPrometheusQuery": "q"}


def test_the_worst_metric_is_the_runs_phase() -> None:
    one, two, three = metric("a"), metric("b"), metric("c")
    run = run_of(one, two, three)
    run = after(after(after(run, one, INCONCLUSIVE), two, FAILED), three, SUCCESSFUL)
    judged = judge.assess(run, T0)
    assert judged.run.status.phase == FAILED
    assert judged.ended == (("a", INCONCLUSIVE), ("b", FAILED), ("c", SUCCESSFUL))


def test_a_bad_metric_ends_the_others() -> None:
    bad, long = metric("bad"), metric("long", interval="1h")
    run = after(after(run_of(bad, long), bad, FAILED), long, SUCCESSFUL)
    first = judge.assess(run, T0).run
    assert first.status.phase == RUNNING
    assert first.terminating
    assert judge.due(first, T0 + 7200) == []
    second = judge.assess(first, T0).run.status
    assert second.phase == FAILED
    assert [one.phase for one in second.metric_results] == [FAILED, SUCCESSFUL]


def test_a_dry_run_never_ends_a_run_badly() -> None:
    dry, real = metric("dry"), metric("real")
    run = run_of(dry, real, dry_run=frozenset({"dry"}))
    run = after(after(run, dry, FAILED), real, SUCCESSFUL)
    status = judge.assess(run, T0).run.status
    assert status.phase == SUCCESSFUL
    assert status.metric_results[0].message == (
        "Metric assessed Failed due to failed (1) > failureLimit (0)"
    )
    assert (status.run_summary, status.dry_run_summary) == (
        Summary(count=1, successful=1),
        Summary(count=1, failed=1),
    )


def test_what_is_told_to_stop_unmeasured_is_successful() -> None:
    found = judge.assess(run_of(metric(), terminate=True), T0).run.status
    assert (found.phase, found.message) == (SUCCESSFUL, "Run Terminated")


def test_a_measurement_under_way_is_gone_on_with_when_its_time_comes() -> None:
    given = metric()
    begun = Measurement(RUNNING, started_at=stamp(T0), resume_at=stamp(T0 + 5))
    run = judge.take(run_of(given), Due(given), begun, T0, metadata={})
    assert judge.due(run, T0 + 4) == []
    assert judge.next_time(run, T0) == T0 + 5
    assert judge.due(run, T0 + 5) == [Due(given, begun)]
    assert judge.due(replace(run, terminate=True), T0) == [Due(given, begun)]
    done = judge.take(run, Due(given, begun), measured(SUCCESSFUL), T0 + 6, metadata={})
    assert len(done.status.metric_results[0].measurements) == 1


def test_measurements_come_at_their_interval_and_errors_after_ten_seconds() -> None:
    given = metric(interval="1m", count=9, failure_limit=5)
    run = after(run_of(given), given, SUCCESSFUL)
    assert judge.next_time(run, T0) == T0 + 60
    assert judge.due(run, T0 + 60) == []
    assert judge.due(run, T0 + 61) == [Due(given)]
    assert judge.next_time(after(run, given, ERROR), T0) == T0 + 10


def test_the_first_measurement_waits_for_its_delay_from_the_runs_beginning() -> None:
    given = metric(initial_delay="30s")
    fresh = Run(metrics=(given,), status=Status())
    assert judge.due(fresh, T0) == []
    assert judge.next_time(fresh, T0) == T0 + 30
    begun = judge.assess(fresh, T0).run
    assert begun.status.started_at == stamp(T0)
    assert (judge.due(begun, T0 + 29), judge.due(begun, T0 + 30)) == ([], [Due(given)])


def test_so_many_measurements_are_kept() -> None:
    one, two = metric("one", interval="1s"), metric("two", interval="1s")
    run = run_of(one, two, retention={"two": 3})
    run = judge.trim(after(after(run, one, *[SUCCESSFUL] * 15), two, *[SUCCESSFUL] * 15))
    assert [len(each.measurements) for each in run.status.metric_results] == [10, 3]
    assert [each.count for each in run.status.metric_results] == [15, 15]


@pytest.mark.parametrize(
    ("phase", "ttl", "wanted"),
    [
        (SUCCESSFUL, {"secondsAfterSuccess": 5, "secondsAfterCompletion": 9}, 6),
        (SUCCESSFUL, {"secondsAfterFailure": 5}, None),
        (FAILED, {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 6),
        (ERROR, {"secondsAfterFailure": 5, "secondsAfterCompletion": 9}, 10),
        (RUNNING, {"secondsAfterCompletion": 1}, None),
        (SUCCESSFUL, None, None),
    ],
)
def test_a_finished_run_is_kept_for_a_while(
    phase: str, ttl: dict[str, int | None] | None, wanted: int | None
) -> None:
    status = Status(phase=phase, completed_at=stamp(T0))
    found = judge.expires_at(status, ttl)
    assert found == (None if wanted is None else T0 + wanted)


PHASES = st.sampled_from([SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE])
LIMITS = st.one_of(st.none(), st.integers(0, 3))


@settings(max_examples=30)
@given(
    st.lists(PHASES, min_size=60, max_size=60),
    st.integers(1, 5),
    st.tuples(LIMITS, LIMITS, LIMITS),
)
def test_a_run_with_a_count_always_ends_and_passes_only_by_verdicts(
    phases: list[str], count: int, limits: tuple[int | None, int | None, int | None]
) -> None:
    failures, unclear, errors = limits
    given = metric(
        interval="1s",
        count=count,
        failure_limit=failures,
        inconclusive_limit=unclear,
        consecutive_error_limit=errors,
    )
    run, now, left = Run(metrics=(given,), status=Status()), T0, iter(phases)
    while run.status.phase not in ENDED:
        for due in judge.due(run, now):
            run = judge.take(run, due, measured(next(left), now), now, metadata={})
        run = judge.assess(run, now).run
        at = judge.next_time(run, now)
        assert run.status.phase in ENDED or at is not None
        now = max(now, at or now) + 1
    (result,) = run.status.metric_results
    assert result.count == result.successful + result.failed + result.inconclusive
    if run.status.phase == SUCCESSFUL:
        assert result.count == count
        assert result.failed <= (failures or 0)
        assert result.inconclusive <= (unclear or 0)


def test_nothing_measured_is_pending_within_a_run_that_goes_on() -> None:
    given = metric()
    assert judge.metric_phase(given, Result("m", PENDING), terminating=False) == PENDING
