"""What a sync does next: pure. Tasks and what became of them go in, the next step comes out.

As in Argo CD: a wave begins when what the former ones brought is healthy and their hooks have
ended; a sync of one wave and no hooks is over as soon as everything is applied; what fails starts
the SyncFail hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from fairway.gitops import annotations as asked
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, UNKNOWN, Health, Json
from fairway.gitops.tasks import (
    ERROR,
    FAILED,
    PRUNED,
    RUNNING,
    SUCCEEDED,
    SYNC_FAIL,
    SYNC_FAILED,
    Task,
)
from fairway.kube import objects

Run = Literal["done", "waiting", "failed"]
Judge = Callable[[Json], Health | None]
_UNSUCCESSFUL: Final = "one or more synchronization tasks completed unsuccessfully"
_NOT_APPLIED: Final = "one or more objects failed to apply"


class Step(Struct, kw_only=True):
    """What to do now. `phase` and `message` are the operation's once it is done, unless there is
    something to `run`: then `after` says what they are.
    """

    phase: str
    message: str = ""
    missing: Sequence[Task] = ()  # running, and not seen: to be looked for
    release: Sequence[Task] = ()  # hooks that have ended: their finalizer goes
    delete: Sequence[Task] = ()  # hooks whose policy says that they go now
    run: Sequence[Task] = ()
    last: bool = False  # nothing comes after what is run
    on_success: Sequence[Task] = ()  # hooks to delete when all went well
    on_failure: Sequence[Task] = ()
    rescue: Sequence[Task] = ()  # the SyncFail hooks


def progress(tasks: Iterable[Task], judge: Judge) -> None:
    """Bring what is known of running tasks up to date by what is live."""
    for task in tasks:
        if not task.running or task.live is None:
            continue
        health = judge(task.live)
        if task.hook:
            task.note(task.status, *_of_hook(task, health))
        elif health is None:
            task.note(task.status, SUCCEEDED, task.message)
        elif health.status == HEALTHY:
            task.note(task.status, SUCCEEDED, health.message)
        elif health.status == DEGRADED:
            task.note(task.status, FAILED, health.message)


def _of_hook(task: Task, health: Health | None) -> tuple[str, str]:
    if health is None:
        return SUCCEEDED, f"{task.key.name} created"
    states = {UNKNOWN: FAILED, DEGRADED: FAILED, PROGRESSING: RUNNING, SUSPENDED: RUNNING}
    return states.get(health.status, SUCCEEDED), health.message


def decide(tasks: Sequence[Task], *, only_modified: bool = False) -> Step:
    """The next step of a sync whose tasks are `progress`ed; they are in order."""
    if wait := _waiting(tasks):
        return wait
    ended = [task for task in tasks if task.hook and not task.running and task.live is not None]
    release = [task for task in tasks if task.hook and task.completed]
    on_success = [task for task in ended if task.deleted_on("HookSucceeded")]
    on_failure = [task for task in ended if task.deleted_on("HookFailed")]
    rescue = [task for task in tasks if task.phase == SYNC_FAIL]
    tasks = [task for task in tasks if task.phase != SYNC_FAIL]
    if any(task.failed for task in tasks):
        step = failing(rescue, not_applied(tasks), _UNSUCCESSFUL)
        step.release, step.delete = release, on_failure
        return step
    pending = [task for task in tasks if task.pending and (not only_modified or _differs(task))]
    if not pending:
        return Step(
            phase=SUCCEEDED,
            message="successfully synced (no more tasks)",
            release=release,
            delete=on_success,
        )
    first, final = pending[0], pending[-1]
    now = [one for one in pending if (one.phase, one.wave) == (first.phase, first.wave)]
    return Step(
        phase=RUNNING,
        message="one or more tasks are running",
        release=release,
        run=now,
        last=(first.phase, first.wave) == (final.phase, final.wave),
        on_success=on_success,
        on_failure=on_failure,
        rescue=rescue,
    )


def _waiting(tasks: Sequence[Task]) -> Step | None:
    """What there is to wait for before anything else is done."""
    many = bool(tasks) and ((tasks[0].phase, tasks[0].wave) != (tasks[-1].phase, tasks[-1].wave))
    running = [task for task in tasks if task.running and (many or task.hook)]
    if running:
        missing = [task for task in running if task.live is None]
        return Step(phase=RUNNING, message=waits_for(running), missing=missing)
    going = [
        task
        for task in tasks
        if task.status == PRUNED and task.live is not None and objects.deleting(task.live)
    ]
    if going:
        return Step(phase=RUNNING, message=waits_for(going, deletion=True))
    return None


def after(step: Step, how: Run) -> Step:
    """What follows from having run a step's tasks. What it says to run is run without waiting."""
    if how == "waiting":
        going = [task for task in step.run if task.replaced or (task.prune and task.pending)]
        return Step(phase=RUNNING, message=waits_for(going, deletion=True))
    if how == "done":
        if step.last and not any(task.hook for task in step.run):
            said = "successfully synced (all tasks run)"
            return Step(phase=SUCCEEDED, message=said, delete=step.on_success)
        return Step(phase=RUNNING, message=waits_for(list(step.run)))
    made = failing(step.rescue, not_applied(step.run), _NOT_APPLIED)
    hooks = [task for task in step.run if task.running]
    if hooks:
        message = waits_for([*hooks, *made.run])
        return Step(phase=RUNNING, message=message, run=made.run)
    if made.phase == FAILED:
        made.delete = step.on_failure
    return made


def not_applied(tasks: Iterable[Task]) -> list[Task]:
    """Those that could not be applied."""
    return [task for task in tasks if task.status == SYNC_FAILED]


def failing(rescue: Sequence[Task], failed: Sequence[Task], message: str) -> Step:
    """A sync that has failed: the SyncFail hooks first, then it is over."""
    said = _with_reasons(message, failed)
    if all(task.completed for task in rescue):
        bad = not_applied(rescue)
        if bad:
            said += "\n" + _with_reasons("one or more SyncFail hooks failed", bad)
        return Step(phase=FAILED, message=said)
    pending = [task for task in rescue if task.pending]
    return Step(phase=RUNNING, message=waits_for(pending), run=pending)


def _with_reasons(message: str, tasks: Sequence[Task]) -> str:
    reasons = list(dict.fromkeys(task.message for task in tasks))
    return f"{message}, reason: {','.join(reasons)}" if reasons else message


def waits_for(tasks: Sequence[Task], *, deletion: bool = False) -> str:
    """What an operation says while it waits, in Argo CD's words."""
    if not tasks:
        return ""
    hooks = [task for task in tasks if task.hook]
    reason = "completion of hook" if hooks else "healthy state of"
    if deletion:
        reason = "deletion of hook" if hooks else "deletion of"
    kind = "hooks" if len(hooks) == len(tasks) else "resources"
    said = f"waiting for {reason} {(hooks or tasks)[0].place}"
    return said if len(tasks) == 1 else f"{said} and {len(tasks) - 1} more {kind}"


def _differs(task: Task) -> bool:
    """Whether there is anything to do for it, where only what differs is applied."""
    return task.hook or task.target is None or task.live is None or task.modified


def lost(task: Task) -> None:
    """A task that was running and whose object is nowhere."""
    task.note(SYNC_FAILED, ERROR, f"Resource {task.place} is missing, it might have been deleted")


def prune_refusal(task: Task, *, prune: bool, default: str) -> str:
    """Why an object is not pruned; "" where it is. `default`: the value of the option `Prune`."""
    if not prune:
        return "ignored (requires pruning)"
    own = [
        text.partition("=")[2]
        for text in asked.listed(task.live or {}, asked.SYNC_OPTIONS)
        if text.startswith("Prune=")
    ]
    return "ignored (no prune)" if (own[0] if own else default) == "false" else ""


def without_finalizer(live: Json) -> Json | None:
    """A hook's object without the finalizer that kept it; None where it had none."""
    meta = objects.metadata(live)
    kept = list(meta.get("finalizers") or ())
    if asked.HOOK_FINALIZER not in kept:
        return None
    kept.remove(asked.HOOK_FINALIZER)
    return {**live, "metadata": {**meta, "finalizers": kept}}
