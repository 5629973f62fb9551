"""Why everything that waits, waits: a sentence for each stage and step. Pure, but `explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection

from fairway.kit import clock
from fairway.model.build import Build
from fairway.model.runner import RunnerFacts
from fairway.model.stage import Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline import scheduler
from fairway.pipeline.brakes import brakes_of
from fairway.pipeline.dispatch import Runner
from fairway.pipeline.scheduler import Brakes
from fairway.store import runners, stages, steps

GONE_MS: Final = 60_000
"""A runner that was not seen for so long takes no work."""


class Sight(Struct, frozen=True, kw_only=True):
    """What decides when a pending stage begins."""

    active: list[Stage] = field(default_factory=list)  # pending and running, of all builds
    runners: list[RunnerFacts] = field(default_factory=list)
    brakes: Brakes = Brakes()
    now: int = 0


def of_stage(stage: Stage, siblings: Sequence[Stage], build: Build, sight: Sight) -> str:
    """Why a stage does not run; "" when it runs or has ended."""
    if stage.status is Status.BLOCKED:
        return f"waits for approval: {build.reason}" if build.reason else "waits for approval"
    if stage.status is Status.WAITING:
        return _dependencies(stage, siblings)
    if stage.status is Status.PENDING:
        return _pending(stage, sight)
    return ""


def _dependencies(stage: Stage, siblings: Sequence[Stage]) -> str:
    left = [
        other.name for other in siblings if other.name in stage.depends_on and not other.status.done
    ]
    return f"waits for {', '.join(left)}" if left else "is about to begin"


def _pending(stage: Stage, sight: Sight) -> str:
    brakes = sight.brakes
    if brakes.paused:
        return f"all work is paused by {brakes.paused_by}"
    if brakes.disk_low:
        free = brakes.free_bytes // (1024 * 1024)
        return f"the disk is nearly full: {free} MiB are free"
    before = scheduler.before_it(stage, sight.active)
    if 0 < stage.concurrency <= len(before):
        number = len(before)
        return f"concurrency limit {stage.concurrency} of {stage.name}: {number} before it"
    return _runner(stage, sight)


def _runner(stage: Stage, sight: Sight) -> str:
    fitting = [
        runner
        for runner in sight.runners
        if runner.seen + GONE_MS >= sight.now and scheduler.fits(_identity(runner), stage)
    ]
    if not fitting:
        return f"no runner for {_asked(stage)}"
    ready = [runner for runner in fitting if not runner.paused]
    if not ready:
        return f"every runner for {_asked(stage)} is paused"
    names = {runner.name for runner in ready}
    busy = [one for one in sight.active if one.status is Status.RUNNING and one.machine in names]
    if len(busy) < sum(runner.capacity for runner in ready):
        return "is about to begin"
    ahead = sum(
        1
        for one in sight.active
        if one.status is Status.PENDING
        and one.id < stage.id
        and any(scheduler.fits(_identity(runner), one) for runner in ready)
    )
    return f"all runners for it are busy; {ahead} ahead"


def _asked(stage: Stage) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(stage.labels.items()))
    platform = f"{stage.type} on {stage.os}/{stage.arch}"
    return f"{platform} with labels {labels}" if labels else f"{platform} without labels"


def _identity(runner: RunnerFacts) -> Runner:
    return Runner(
        name=runner.name,
        type=runner.type,
        os=runner.os,
        arch=runner.arch,
        variant=runner.variant,
        kernel=runner.kernel,
        labels=runner.labels,
        capacity=runner.capacity,
    )


def of_step(step: Step, siblings: Sequence[Step], stage_why: str) -> str:
    """Why a step does not run; "" when it runs or has ended."""
    if step.status is not Status.PENDING:
        return ""
    if stage_why:
        return stage_why
    left = [
        other.name
        for other in siblings
        if other.name in step.depends_on
        and not other.status.done
        and not (other.status is Status.RUNNING and (other.service or other.detach))
    ]
    return f"waits for {', '.join(left)}" if left else "is about to begin"


class Reasons(Struct, frozen=True):
    """Why stages and steps of a build wait, by id; what does not wait is left out."""

    stages: dict[int, str]
    steps: dict[int, str]


def explain(db: Connection, build: Build) -> Reasons:
    """Every reason of one build."""
    if build.status.done:
        return Reasons({}, {})
    sight = Sight(
        active=stages.active(db),
        runners=runners.listing(db),
        brakes=brakes_of(db),
        now=clock.now(),
    )
    found = stages.of_build(db, build.id)
    why_stage = {stage.id: of_stage(stage, found, build, sight) for stage in found}
    why_step: dict[int, str] = {}
    for stage in found:
        siblings = steps.of_stage(db, stage.id)
        for step in siblings:
            if why := of_step(step, siblings, why_stage[stage.id]):
                why_step[step.id] = why
    return Reasons({number: why for number, why in why_stage.items() if why}, why_step)
