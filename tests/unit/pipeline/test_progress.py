"""What a stage does next: tables, and random histories of random graphs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fairway.model.status import Status
from fairway.pipeline.graph import FailurePolicy, RunPolicy, StageGraph, StepGraph
from fairway.pipeline.progress import Decision, Halt, Seen, decide, failing, outcome, result, runs

P, R, D, F, E, C, S = (
    Status.PENDING,
    Status.RUNNING,
    Status.PASSED,
    Status.FAILED,
    Status.ERRORED,
    Status.CANCELLED,
    Status.SKIPPED,
)


def graph(*steps: dict[str, Any]) -> StageGraph:
    made = tuple(
        StepGraph(**{"name": f"s{number}", "number": number, **fields})
        for number, fields in enumerate(steps, 1)
    )
    return StageGraph(name="p", type="docker", steps=made)


def seen(*statuses: Status | Seen) -> dict[int, Seen]:
    return {
        number: status if isinstance(status, Seen) else Seen(status)
        for number, status in enumerate(statuses, 1)
    }


ROW: list[dict[str, Any]] = [{}, {"depends_on": ("s1",)}, {"depends_on": ("s2",)}]
ON_FAILURE = {"depends_on": ("s1",), "run": RunPolicy.ON_FAILURE}
ALWAYS = {"depends_on": ("s1",), "run": RunPolicy.ALWAYS}
IGNORED = {"failure": FailurePolicy.IGNORE}
SERVICE = {"service": True, "detach": True, "failure": FailurePolicy.IGNORE}


@pytest.mark.parametrize(
    ("steps", "before", "expected"),
    [
        (ROW, (P, P, P), Decision(start=(1,))),
        (ROW, (R, P, P), Decision()),
        (ROW, (D, P, P), Decision(start=(2,))),
        (ROW, (F, P, P), Decision(skip=(2,))),
        (ROW, (F, S, P), Decision(skip=(3,))),
        (ROW, (F, S, S), Decision(outcome=F)),
        (ROW, (D, D, D), Decision(outcome=D)),
        ([], (), Decision(outcome=D)),
        ([{}, ON_FAILURE], (D, P), Decision(skip=(2,))),
        ([{}, ON_FAILURE], (F, P), Decision(start=(2,))),
        ([{}, ALWAYS], (F, P), Decision(start=(2,))),
        ([{}, ALWAYS], (F, D), Decision(outcome=F)),
        # one failure anywhere skips what runs on success everywhere
        ([{}, {}, {"depends_on": ("s1",)}], (D, F, P), Decision(skip=(3,))),
        # a failure that is ignored
        (
            [{"failure": FailurePolicy.IGNORE}, {"depends_on": ("s1",)}],
            (F, P),
            Decision(start=(2,)),
        ),
        ([{"failure": FailurePolicy.IGNORE}], (F,), Decision(outcome=D)),
        # fast ends the rest at once
        ([{"failure": FailurePolicy.FAST}, {}, ALWAYS], (F, R, P), Decision(skip=(3,), kill=(2,))),
        ([{"failure": FailurePolicy.FAST}, {}, ALWAYS], (F, C, S), Decision(outcome=C)),
        # 78 passes, and skips even what always runs
        ([{}, ALWAYS], (Seen(D, 78), P), Decision(skip=(2,))),
        ([{}, ALWAYS], (Seen(D, 78), S), Decision(outcome=D)),
        # services: up, awaited, killed at the end, never a failure
        ([SERVICE, {"depends_on": ("s1",)}], (R, P), Decision()),
        ([SERVICE, {"depends_on": ("s1",)}], (Seen(R, up=True), P), Decision(start=(2,))),
        ([SERVICE, {"depends_on": ("s1",)}], (Seen(R, up=True), D), Decision(kill=(1,))),
        ([SERVICE, {"depends_on": ("s1",)}], (D, P), Decision(start=(2,))),
        ([SERVICE, {"depends_on": ("s1",)}], (E, P), Decision(skip=(2,))),
        ([SERVICE, {}], (F, D), Decision(outcome=D)),
        # an error outranks a failure
        ([{}, {}], (F, E), Decision(outcome=E)),
        # an edge to a step that matched no condition is no edge
        ([{"depends_on": ("gone",)}], (P,), Decision(start=(1,))),
    ],
)
def test_the_next_move(
    steps: list[dict[str, Any]], before: tuple[Status | Seen, ...], expected: Decision
) -> None:
    assert decide(graph(*steps), seen(*before)) == expected


@pytest.mark.parametrize(("halt", "end"), [(Halt.CANCEL, C), (Halt.DEADLINE, F)])
def test_a_halt_kills_what_runs_and_skips_the_rest(halt: Halt, end: Status) -> None:
    steps = graph(*ROW)
    assert decide(steps, seen(D, R, P), halt=halt) == Decision(skip=(3,), kill=(2,))
    assert decide(steps, seen(D, C, S), halt=halt) == Decision(outcome=end)


@pytest.mark.parametrize(("code", "status"), [(0, D), (78, D), (1, F), (137, F), (255, F)])
def test_exit_codes(code: int, status: Status) -> None:
    assert result(code) is status


@pytest.mark.parametrize(
    ("policy", "after_success", "after_failure"),
    [
        (RunPolicy.ON_SUCCESS, True, False),
        (RunPolicy.ON_FAILURE, False, True),
        (RunPolicy.ALWAYS, True, True),
        (RunPolicy.NEVER, False, False),
    ],
)
def test_run_policies(policy: RunPolicy, *, after_success: bool, after_failure: bool) -> None:
    assert runs(policy, failed=False) is after_success
    assert runs(policy, failed=True) is after_failure


def random_graph(dice: random.Random) -> StageGraph:
    steps = []
    for number in range(1, dice.randint(1, 8) + 1):
        before = tuple(f"s{n}" for n in range(1, number) if dice.random() < 0.4)
        daemon = dice.random() < 0.2
        policy = FailurePolicy.IGNORE if daemon else dice.choice(list(FailurePolicy))
        steps.append(
            {
                "depends_on": before,
                "detach": daemon,
                "failure": policy,
                "run": dice.choice(list(RunPolicy)),
            }
        )
    return graph(*steps)


def check(steps: StageGraph, state: dict[int, Seen], todo: Decision) -> None:
    """What holds for every decision."""
    assert not set(todo.start) & set(todo.skip)
    assert all(state[number].status is P for number in (*todo.start, *todo.skip))
    assert all(state[number].status is R for number in todo.kill)
    if todo.start and failing(steps, state):
        by_number = {step.number: step for step in steps.steps}
        assert all(by_number[n].run is not RunPolicy.ON_SUCCESS for n in todo.start)
    running = any(one.status is R for one in state.values())
    assert todo.start or todo.skip or todo.kill or running, "the stage hangs"


def happen(steps: StageGraph, state: dict[int, Seen], dice: random.Random) -> None:
    """One running step goes on: a daemon comes up, another step ends."""
    running = [number for number, one in state.items() if one.status is R]
    if not running:
        return
    number = dice.choice(running)
    if not steps.steps[number - 1].detach:
        code = dice.choice([0, 0, 0, 1, 78])
        state[number] = Seen(result(code), code)
    elif not state[number].up:
        state[number] = Seen(R, up=True)


@pytest.mark.parametrize("seed", range(200))
def test_every_history_ends_with_every_step_accounted_for(seed: int) -> None:
    dice = random.Random(seed)
    steps = random_graph(dice)
    state = {step.number: Seen() for step in steps.steps}
    halt: Halt | None = None
    for _move in range(200):
        todo = decide(steps, state, halt=halt)
        if todo.outcome is not None:
            break
        check(steps, state, todo)
        state |= dict.fromkeys(todo.skip, Seen(S)) | dict.fromkeys(todo.start, Seen(R))
        state |= dict.fromkeys(todo.kill, Seen(C if halt else D))
        happen(steps, state, dice)
        halt = Halt.CANCEL if halt or dice.random() < 0.02 else None
    assert todo.outcome is not None, "the history did not end"
    assert all(one.status.done for one in state.values())
    assert outcome(steps, state, halt=halt) is todo.outcome
    if halt:
        assert todo.outcome is C
