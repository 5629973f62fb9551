"""The scheduler's decisions, by tables and by random builds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.stage import Stage
from fairway.model.status import DONE, Status
from fairway.pipeline.dispatch import Runner
from fairway.pipeline.scheduler import (
    Brakes,
    build_status,
    choose,
    fits,
    settle,
    within_limit,
)

P, F, E, C, S, W, R, N, B = (
    Status.PASSED,
    Status.FAILED,
    Status.ERRORED,
    Status.CANCELLED,
    Status.SKIPPED,
    Status.WAITING,
    Status.RUNNING,
    Status.PENDING,
    Status.BLOCKED,
)


def stage(number: int, status: Status, *depends_on: int, **more: Any) -> Stage:
    return Stage(
        id=number,
        build=1,
        repository=1,
        number=number,
        name=f"s{number}",
        status=status,
        depends_on=[f"s{other}" for other in depends_on],
        **more,
    )


@pytest.mark.parametrize(
    ("statuses", "verdict", "wanted"),
    [
        ([P], "", P),
        ([P, S], "", P),
        ([S, S], "", S),
        ([P, F], "", F),
        ([F, E], "", E),
        ([C, F], "", F),
        ([P, C], "", C),
        ([P, R], "", R),
        ([P, W], "", R),
        ([N, W], "", N),
        ([S, N], "", N),
        ([B, B], "", B),
        ([P, P], "cancelled", C),
        ([P, R], "cancelled", R),
        ([F, S], "failed", F),
    ],
)
def test_a_builds_status_follows_from_its_stages(
    statuses: list[Status], verdict: str, wanted: Status
) -> None:
    assert build_status(statuses, verdict=verdict) is wanted


def test_a_skipped_stage_ends_the_wait_of_the_next() -> None:
    found = settle([stage(1, F), stage(2, W, 1), stage(3, W, 2)])
    assert [(change.stage, change.status) for change in found.changes] == [(2, S), (3, S)]
    assert found.status is F


def test_a_stage_for_failures_waits_for_what_it_depends_on() -> None:
    late = stage(3, W, 2, on_success=False, on_failure=True)
    assert settle([stage(1, F), stage(2, R), late]).changes == []
    found = settle([stage(1, F), stage(2, P), late])
    assert [(change.stage, change.status) for change in found.changes] == [(3, N)]


def test_a_dependency_that_is_not_in_the_build_does_not_hold_a_stage_up() -> None:
    assert [change.status for change in settle([stage(1, W, 9)]).changes] == [N]


def test_nothing_new_begins_in_a_build_that_is_being_ended() -> None:
    found = settle([stage(1, R), stage(2, W, 1), stage(3, W)], verdict="cancelled")
    assert {change.status for change in found.changes} == {C}
    late = settle([stage(1, R), stage(2, W, 1)], verdict="failed")
    assert {change.status for change in late.changes} == {S}


@given(st.data())
def test_every_build_comes_to_an_end_whatever_its_stages_do(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    stages = []
    for number in range(1, count + 1):
        others = data.draw(st.sets(st.integers(1, number - 1))) if number > 1 else set()
        when = data.draw(st.sampled_from([(True, False), (False, True), (True, True)]))
        stages.append(stage(number, W, *others, on_success=when[0], on_failure=when[1]))
    for _ in range(2 * count + 1):
        found = settle(stages)
        new = {change.stage: change.status for change in found.changes}
        stages = [stage_with(one, new.get(one.number, one.status)) for one in stages]
        if found.status.done:
            break
        pending = [one for one in stages if one.status is N]
        assert pending, "a build that has not ended must have something to run"
        ended = data.draw(st.sampled_from([P, F, E]))
        picked = data.draw(st.sampled_from(pending))
        stages = [stage_with(one, ended) if one is picked else one for one in stages]
    assert all(one.status in DONE for one in stages)


def stage_with(one: Stage, status: Status) -> Stage:
    from msgspec.structs import replace

    return replace(one, status=status)


@pytest.mark.parametrize(
    ("more", "fitting"),
    [
        ({}, True),
        ({"kind": "other"}, False),
        ({"variant": "v7"}, False),
        ({"kernel": "1809"}, False),
        ({"labels": {"a": "b"}}, False),
    ],
)
def test_a_runner_fits_a_stage_that_asks_for_nothing_else(
    more: dict[str, Any], fitting: bool
) -> None:
    assert fits(Runner(name="r"), stage(1, N, **more)) is fitting


def test_a_limit_counts_earlier_stages_of_the_same_name_and_repository() -> None:
    mine = stage(5, N, concurrency=1)
    other = stage(3, R)
    assert within_limit(mine, [other, mine])
    same = stage_named(3, "s5")
    assert not within_limit(mine, [same, mine])
    assert within_limit(stage(5, N, concurrency=2), [same])
    assert within_limit(mine, [stage_named(7, "s5")])


def stage_named(number: int, name: str) -> Stage:
    from msgspec.structs import replace

    return replace(stage(number, R), name=name)


def test_a_stage_that_has_begun_goes_on_while_work_is_paused() -> None:
    begun, new = stage(1, N, attempt=1), stage(2, N)
    runner = Runner(name="r")
    assert choose(runner, [begun, new], [], Brakes(paused=True)) == [begun]
    assert choose(runner, [begun, new], [], Brakes(disk_low=True)) == [begun]
    assert choose(runner, [begun, new], [], Brakes(runners=frozenset({"r"}))) == []
