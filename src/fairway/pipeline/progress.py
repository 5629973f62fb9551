"""What a stage does next, and how it ends: pure functions of the graph and what was seen.

Drone's rules, in our words:

- A step may go when every step it hangs on is settled: ended, or, for a service or detached step,
  started (and ready, where `x-fairway.ready` asks for it).
- One failure anywhere in the stage skips every later step that runs on success, and lets those
  run that run on failure. A failure with `failure: ignore` does not count.
- Exit code 78 passes, and skips whatever has not begun, whatever its conditions.
- `failure: fast` ends the stage at once, as cancelled; so does a cancel from outside. What runs is
  killed (cancelled), what has not begun is skipped.
- Services and detached steps never hold the stage up and never fail it; when all else has ended
  they are killed and count as passed. Only one that could not be started, or never became ready,
  is an error.
- Past its deadline a stage is killed too, and it failed: what ran took too long.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from fairway.model.status import Status
from fairway.pipeline.graph import FailurePolicy, RunPolicy, StageGraph, StepGraph

EARLY_EXIT: Final = 78
KILLED: Final = 137
CANNOT_RUN: Final = 255


def past_limit(seconds: int) -> str:
    """What is said of a build that took longer than it may."""
    if not seconds:
        return "the build reached its time limit"
    number, unit = (seconds // 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    limit = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"the build reached its time limit of {limit}"


class Halt(StrEnum):
    """Why a stage is ended from outside."""

    CANCEL = "cancel"
    DEADLINE = "deadline"


class Seen(Struct, frozen=True):
    """What is known of a step: PENDING, RUNNING or how it ended."""

    status: Status = Status.PENDING
    exit_code: int = 0
    up: bool = False  # a service or detached step: started, and ready if it is asked to be


class Decision(Struct, frozen=True):
    """What to do now. Numbers of steps, in file order."""

    start: tuple[int, ...] = ()
    skip: tuple[int, ...] = ()
    kill: tuple[int, ...] = ()  # running steps to end; services when nothing else is left
    outcome: Status | None = None  # set when nothing runs and nothing will


def is_daemon(step: StepGraph) -> bool:
    """Whether a step runs beside the others until they have ended."""
    return step.service or step.detach


def counts(step: StepGraph, seen: Seen) -> bool:
    """Whether a step's end is a failure of the stage."""
    if is_daemon(step):
        return seen.status is Status.ERRORED
    return seen.status.bad and step.failure is not FailurePolicy.IGNORE


def failing(graph: StageGraph, seen: Mapping[int, Seen]) -> list[str]:
    """Names of the steps whose end counts as a failure so far."""
    return [step.name for step in graph.steps if counts(step, _of(seen, step))]


def decide(graph: StageGraph, seen: Mapping[int, Seen], *, halt: Halt | None = None) -> Decision:
    """What to do next with a stage of which so much is known."""
    pending = [step for step in graph.steps if _of(seen, step).status is Status.PENDING]
    running = [step for step in graph.steps if _of(seen, step).status is Status.RUNNING]
    if halt is not None or ended_fast(graph, seen):
        return _closing(graph, seen, pending, running, halt=halt)
    skip, start = _ready(graph, seen, pending)
    if _exited_early(graph, seen):
        skip, start = pending, []
    waiting = [step for step in pending if step not in skip and step not in start]
    if start or skip or waiting or any(not is_daemon(step) for step in running):
        return Decision(start=_numbers(start), skip=_numbers(skip))
    if running:
        return Decision(kill=_numbers(running))
    return Decision(outcome=outcome(graph, seen))


def outcome(graph: StageGraph, seen: Mapping[int, Seen], *, halt: Halt | None = None) -> Status:
    """How a stage ended whose steps have all ended."""
    if halt is Halt.DEADLINE:
        return Status.FAILED
    if halt is Halt.CANCEL or ended_fast(graph, seen):
        return Status.CANCELLED
    counted = {_of(seen, step).status for step in graph.steps if counts(step, _of(seen, step))}
    for status in (Status.CANCELLED, Status.ERRORED, Status.FAILED):
        if status in counted:
            return status
    return Status.PASSED


def ended_fast(graph: StageGraph, seen: Mapping[int, Seen]) -> bool:
    """Whether a step with `failure: fast` has failed."""
    return any(
        step.failure is FailurePolicy.FAST and counts(step, _of(seen, step)) for step in graph.steps
    )


def result(exit_code: int) -> Status:
    """A step's status by its exit code: 0 and 78 pass."""
    return Status.PASSED if exit_code in (0, EARLY_EXIT) else Status.FAILED


def _closing(
    graph: StageGraph,
    seen: Mapping[int, Seen],
    pending: list[StepGraph],
    running: list[StepGraph],
    *,
    halt: Halt | None,
) -> Decision:
    if pending or running:
        return Decision(skip=_numbers(pending), kill=_numbers(running))
    return Decision(outcome=outcome(graph, seen, halt=halt))


def _exited_early(graph: StageGraph, seen: Mapping[int, Seen]) -> bool:
    return any(
        _of(seen, step).status.done
        and _of(seen, step).exit_code == EARLY_EXIT
        and not is_daemon(step)
        for step in graph.steps
    )


def _ready(
    graph: StageGraph, seen: Mapping[int, Seen], pending: list[StepGraph]
) -> tuple[list[StepGraph], list[StepGraph]]:
    by_name = {step.name: step for step in graph.steps}
    failed = bool(failing(graph, seen))
    skip: list[StepGraph] = []
    start: list[StepGraph] = []
    for step in pending:
        before = [by_name[name] for name in step.depends_on if name in by_name]
        if all(_settled(other, _of(seen, other)) for other in before):
            (start if runs(step.run, failed=failed) else skip).append(step)
    return skip, start


def runs(policy: RunPolicy, *, failed: bool) -> bool:
    """Whether a step runs, given whether the stage has failed so far."""
    if policy is RunPolicy.ALWAYS:
        return True
    if policy is RunPolicy.ON_FAILURE:
        return failed
    return policy is RunPolicy.ON_SUCCESS and not failed


def _settled(step: StepGraph, seen: Seen) -> bool:
    return seen.status.done or (is_daemon(step) and seen.up)


def _of(seen: Mapping[int, Seen], step: StepGraph) -> Seen:
    return seen.get(step.number, Seen())


def _numbers(steps: list[StepGraph]) -> tuple[int, ...]:
    return tuple(step.number for step in steps)
