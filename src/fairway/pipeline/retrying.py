"""What of a finished build runs again, and what is carried. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from fairway.model.build import Build, Retry, RetryScope
from fairway.model.errors import InvalidInput
from fairway.model.stage import NewStage, NewStep, Stage
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline.planning import Prepared

Before = Sequence[tuple[Stage, Sequence[Step]]]


def check(parent: Build, retry: Retry, before: Before) -> None:
    """Raises `InvalidInput` when the step of a retry is not there, or nothing would run."""
    if retry.scope is RetryScope.STEP:
        _place(parent, retry, before)
    elif retry.scope is RetryScope.FAILED and parent.status is Status.PASSED:
        raise InvalidInput(
            f"nothing of build #{parent.number} failed",
            code="nothing-failed",
            remedy="retry all of it, or one step: fairway retry BUILD --step NAME",
        )


def _place(parent: Build, retry: Retry, before: Before) -> tuple[str, str]:
    """(stage, step) that a retry names; the stage may be left out where the step is only one."""
    found = [
        (stage.name, step.name)
        for stage, steps in before
        for step in steps
        if step.name == retry.step and retry.stage in {"", stage.name}
    ]
    if len(found) != 1:
        what = "several steps" if found else "no step"
        raise InvalidInput(
            f"build #{parent.number} has {what} named {retry.step!r}",
            code="step-ambiguous" if found else "step-not-in-build",
            remedy="name the stage as well: --stage NAME",
        )
    return found[0]


def carry(prepared: Prepared, retry: Retry, *, parent: Build, before: Before) -> Prepared:
    """The stages of a retry: what runs again is new, the rest keeps its outcome and images."""
    if retry.scope is RetryScope.ALL:
        return prepared
    if retry.scope is RetryScope.STEP:
        retry = replace(retry, stage=_place(parent, retry, before)[0])
    former = {stage.name: (stage, steps) for stage, steps in before}
    again = _stages_again(prepared.stages, retry, before=before)
    stages = []
    for new in prepared.stages:
        if new.name not in former:
            stages.append(new)
            continue
        stage, steps = former[new.name]
        if new.name in again:
            stages.append(_again(new, retry, stage=stage, steps=steps, parent=parent))
        else:
            stages.append(_kept(new, stage, steps=steps, parent=parent))
    return Prepared(stages=stages, error=prepared.error, companions=parent.companions)


def _stages_again(stages: Sequence[NewStage], retry: Retry, *, before: Before) -> Collection[str]:
    if retry.scope is RetryScope.FAILED:
        passed = {stage.name for stage, _ in before if stage.status is Status.PASSED}
        return {new.name for new in stages} - passed
    again: Collection[str] = {retry.stage}
    if retry.descendants:
        again = _with_dependants(again, {new.name: new.depends_on for new in stages})
    return again


def _with_dependants(names: Collection[str], depends_on: dict[str, list[str]]) -> set[str]:
    found = set(names)
    while True:
        more = {
            name
            for name, others in depends_on.items()
            if name not in found and found.intersection(others)
        }
        if not more:
            return found
        found |= more


def _kept(new: NewStage, stage: Stage, *, steps: Sequence[Step], parent: Build) -> NewStage:
    return replace(
        new,
        status=stage.status,
        error=stage.error,
        workspace=stage.workspace,
        machine=stage.machine,
        steps=[_carried(step, parent) for step in steps],
    )


def _again(
    new: NewStage, retry: Retry, *, stage: Stage, steps: Sequence[Step], parent: Build
) -> NewStage:
    former = {step.name: step for step in steps}
    runs = _steps_again(new.steps, retry, stage=stage, former=former)
    return replace(
        new,
        workspace=stage.workspace,
        machine=stage.machine,
        steps=[
            step
            if step.name in runs
            else replace(
                _carried(former[step.name], parent), number=step.number, depends_on=step.depends_on
            )
            for step in new.steps
        ],
    )


def _steps_again(
    new: Sequence[NewStep], retry: Retry, *, stage: Stage, former: dict[str, Step]
) -> set[str]:
    """Services live with their stage and always begin again; so does what was never there.

    With the failed ones runs again what judges failures: it may say something else now.
    """
    always = {step.name for step in new if step.service or step.detach or step.name not in former}
    if retry.scope is RetryScope.FAILED:
        return always | {
            step.name for step in new if step.judges or not _counts(former.get(step.name))
        }
    if stage.name != retry.stage:
        return {step.name for step in new}
    named = {retry.step}
    if retry.descendants:
        named = _with_dependants(named, {step.name: step.depends_on for step in new})
    return always | named


def _counts(step: Step | None) -> bool:
    return step is not None and step.status is Status.PASSED


def _carried(step: Step, parent: Build) -> NewStep:
    return NewStep(
        number=step.number,
        name=step.name,
        status=step.status,
        exit_code=step.exit_code,
        error=step.error,
        image=step.image,
        service=step.service,
        detach=step.detach,
        ignored=step.ignored,
        depends_on=step.depends_on,
        images=step.images,
        carried=step.carried or parent.number,
        started=step.started,
        stopped=step.stopped,
    )
