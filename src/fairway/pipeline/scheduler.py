"""What may run, what is skipped, and how a build ends: decided from plain data, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline.dispatch import Runner

MAX_ATTEMPTS: Final = 10
"""How often a stage is handed to a runner; when the last one is lost as well, it is errored."""


class Change(Struct, frozen=True):
    """A stage gets a new status."""

    stage: int  # its number within the build
    status: Status
    reason: str = ""


class Brakes(Struct, frozen=True, kw_only=True):
    """What holds work back now, whoever asks."""

    paused: bool = False
    paused_by: str = ""
    disk_low: bool = False
    free_bytes: int = 0
    runners: frozenset[str] = frozenset()  # names of paused runners

    @property
    def closed(self) -> bool:
        """Whether nothing new may begin."""
        return self.paused or self.disk_low


class Settled(Struct, frozen=True):
    """What follows for a build when something of it changed."""

    changes: list[Change] = field(default_factory=list)
    status: Status = Status.RUNNING


def settle(stages: Sequence[Stage], *, verdict: str = "") -> Settled:
    """What waiting stages become now, and where the build then stands.

    A stage waits until all that it depends on has ended. Then the state of the *whole* build
    decides, as in Drone: success-only stages are skipped once any stage went wrong, failure-only
    ones when none did. Skipping a stage may end the wait of others, so this runs to its end.
    """
    statuses = {stage.number: stage.status for stage in stages}
    changes: list[Change] = []
    while True:
        new = _next(stages, statuses, verdict=verdict)
        if new is None:
            return Settled(changes, build_status(statuses.values(), verdict=verdict))
        statuses[new.stage] = new.status
        changes.append(new)


def _next(
    stages: Sequence[Stage], statuses: Mapping[int, Status], *, verdict: str
) -> Change | None:
    by_name = {stage.name: statuses[stage.number] for stage in stages}
    failing = any(status.bad for status in statuses.values())
    for stage in stages:
        if statuses[stage.number] is not Status.WAITING:
            continue
        if verdict:
            why = "the build was ended before it began"
            return Change(stage.number, unbegun(Status(verdict)), why)
        if not all(by_name[name].done for name in stage.depends_on if name in by_name):
            continue
        if (failing and stage.on_failure) or (not failing and stage.on_success):
            return Change(stage.number, Status.PENDING)
        why = "a stage before it went wrong" if failing else "it runs only after a failure"
        return Change(stage.number, Status.SKIPPED, why)
    return None


def unbegun(verdict: Status) -> Status:
    """What a stage that never began becomes when its build is ended."""
    return verdict if verdict in {Status.CANCELLED, Status.DECLINED} else Status.SKIPPED


def build_status(statuses: Iterable[Status], *, verdict: str = "") -> Status:
    """Where a build stands, seen from its stages.

    While anything of it has not ended it is blocked, pending or running. `verdict` (a cancel, a
    deadline) is how it ends whatever its stages say: what was promised to a person holds.
    """
    seen = list(statuses)
    if any(not status.done for status in seen):
        return _unfinished(seen)
    if verdict:
        return Status(verdict)
    for status in (Status.ERRORED, Status.FAILED, Status.CANCELLED, Status.DECLINED):
        if status in seen:
            return status
    return Status.SKIPPED if seen and set(seen) == {Status.SKIPPED} else Status.PASSED


def _unfinished(statuses: Sequence[Status]) -> Status:
    if Status.BLOCKED in statuses:
        return Status.BLOCKED
    begun = any(status is Status.RUNNING or _ran(status) for status in statuses)
    return Status.RUNNING if begun else Status.PENDING


def _ran(status: Status) -> bool:
    return status.done and status is not Status.SKIPPED


def stage_status(reported: Status, steps: Sequence[Step], *, stopped_as: str = "") -> Status:
    """How a stage ends, from its runner's word and its steps.

    `stopped_as` is the build's verdict when the stage was told to stop. A result carried from an
    earlier build counts as if the step had run now.
    """
    if stopped_as:
        return Status(stopped_as)
    if reported is Status.PASSED:
        bad = [step.status for step in steps if step.carried and step.status.bad]
        if any(not step.ignored for step in steps if step.carried and step.status.bad):
            return Status.ERRORED if Status.ERRORED in bad else Status.FAILED
    return reported if reported.done else Status.ERRORED


def fits(runner: Runner, stage: Stage) -> bool:
    """Whether a runner may take a stage: type and platform agree, labels are equal (Drone's rule).

    A variant or kernel that the file names must agree; one that it leaves out fits any.
    """
    return (
        stage.kind == "pipeline"
        and stage.type == runner.type
        and stage.os == runner.os
        and stage.arch == runner.arch
        and (not stage.variant or stage.variant == runner.variant)
        and (not stage.kernel or stage.kernel == runner.kernel)
        and stage.labels == runner.labels
    )


def within_limit(stage: Stage, active: Sequence[Stage]) -> bool:
    """Whether the concurrency limit lets a stage begin: earlier ones of its name go first."""
    if stage.concurrency <= 0:
        return True
    return len(before_it(stage, active)) < stage.concurrency


def before_it(stage: Stage, active: Sequence[Stage]) -> list[Stage]:
    """Earlier pending and running stages of the same repository and name."""
    return [
        other
        for other in active
        if other.repository == stage.repository and other.name == stage.name and other.id < stage.id
    ]


def choose(
    runner: Runner, queue: Sequence[Stage], active: Sequence[Stage], brakes: Brakes
) -> list[Stage]:
    """What this runner may take, in the order in which it should try."""
    if runner.name in brakes.runners:
        return []
    return [
        stage
        for stage in queue
        if fits(runner, stage)
        and (stage.attempt > 0 or not brakes.closed)
        and within_limit(stage, active)
    ]
