"""One step of a sync: its tasks are made from what is wanted, live and written down, the plan says
what comes next, and that is carried out. Nothing is remembered between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from fairway.gitops import annotations as asked
from fairway.gitops import health, operating, plan, project, tasks
from fairway.gitops.application import Application, Sync
from fairway.gitops.applying import Applier
from fairway.gitops.live import LiveCluster
from fairway.gitops.objects import Comparison, Json, ObjectKey, ResourceResult, Target, Targets
from fairway.gitops.operating import Options
from fairway.gitops.tasks import (
    ERROR,
    FAILED,
    RUNNING,
    SYNC_FAILED,
    TERMINATING,
    Task,
)
from fairway.kube.fleet import Member
from fairway.native.toolbox import Toolbox

_INVALID = "one or more synchronization tasks are not valid"


class Asked(Struct, frozen=True, kw_only=True):
    """What a step needs to know. `state` is `status.operationState`."""

    app: Application
    sync: Sync
    state: Json
    revision: str
    compared: Comparison
    targets: Targets
    live: Mapping[ObjectKey, Json]
    project: project.Project
    member: Member


class Outcome(Struct, frozen=True, kw_only=True):
    """Where the operation is after a step. `again`: the next step may follow at once."""

    phase: str
    message: str
    results: list[Json]
    again: bool = False


class Syncer:
    """Steps of syncs in one cluster."""

    def __init__(self, live: LiveCluster, toolbox: Toolbox) -> None:
        self._live = live
        self._toolbox = toolbox

    async def step(self, given: Asked) -> Outcome:
        """The next step. Raises `KubeUnavailable`: nothing is known, and it may be tried again."""
        options = operating.options(given.sync)
        todo = await self._tasks(given, options)
        before = (given.state.get("syncResult") or {}).get("resources") or []
        tasks.remembered(todo, before)
        applier = Applier(self._live, self._toolbox, options)
        undone = sum(task.pending for task in todo)
        made = await self._go(given, options, todo, applier, fresh=not before)
        moved = sum(task.pending for task in todo) < undone
        return Outcome(
            phase=made.phase,
            message=made.message,
            results=tasks.results(todo, before),
            again=made.phase == RUNNING and moved,
        )

    async def _go(
        self, given: Asked, options: Options, todo: list[Task], applier: Applier, *, fresh: bool
    ) -> plan.Step:
        if given.state.get("phase") == TERMINATING:
            return await self._terminate(todo, applier)
        if not self._valid(given, options, todo):
            bad = sorted({one.message for one in todo if one.status == SYNC_FAILED and one.message})
            return plan.Step(phase=FAILED, message=": ".join(filter(None, [_INVALID, *_one(bad)])))
        if fresh:
            failed = await self._begin(given, options, todo, applier)
            if failed is not None:
                return failed
        plan.progress(todo, health.of)
        step = plan.decide(todo, only_modified=options.only_modified)
        for task in step.missing:
            await applier.look(task)
        for task in step.release:
            await applier.release(task)
        await applier.delete(step.delete)
        return await self._ran(step, applier)

    async def _ran(self, step: plan.Step, applier: Applier) -> plan.Step:
        if not step.run:
            return step
        if step.phase == RUNNING and all(task.phase == tasks.SYNC_FAIL for task in step.run):
            await applier.run(step.run)
            return step
        made = plan.after(step, await applier.run(step.run))
        if made.run:
            await applier.run(made.run)
        await applier.delete(made.delete)
        return made

    # ---- tasks -----------------------------------------------------------------------------------

    async def _tasks(self, given: Asked, options: Options) -> list[Task]:
        def chosen(one: ResourceResult) -> bool:
            own = one.status is not None or one.target is not None
            return own and operating.chosen(given.sync, one)

        todo = tasks.of_resources(given.compared.resources, chosen)
        if options.hooks:
            started = operating.started(given.state)
            hooks = _hooks(given.targets)
            todo += tasks.of_hooks(hooks, {}, revision=given.revision, started=started)
            for task in todo:
                if task.hook:
                    task.live = await self._live_hook(task, given.live)
        if options.create_namespace:
            todo += await self._namespace(given)
        return tasks.arranged(todo, prune_last=options.prune_last)

    async def _live_hook(self, task: Task, live: Mapping[ObjectKey, Json]) -> Json | None:
        if task.key in live:
            return live[task.key]
        return await self._live.find(task.key, str(task.object.get("apiVersion")))

    async def _namespace(self, given: Asked) -> list[Task]:
        """The task that makes the destination's namespace where it is not there."""
        name = given.app.spec.destination.namespace
        wanted = {(one.key.kind, one.key.name) for one in given.targets.objects}
        if not name or ("Namespace", name) in wanted:
            return []
        live = await self._live.namespace(name)
        known = (given.state.get("syncResult") or {}).get("resources") or ()
        ours = any(one.get("kind") == "Namespace" and one.get("name") == name for one in known)
        return [tasks.of_namespace(name, live)] if live is None or ours else []

    def _valid(self, given: Asked, options: Options, todo: Sequence[Task]) -> bool:
        """Note in tasks what the project or the cluster does not allow at all."""
        coming = {tasks.defined(task.target) for task in todo if task.target is not None}
        spaces = {task.key.name for task in todo if task.key.kind == "Namespace" and task.target}
        good = True
        for task in todo:
            scope = self._live.namespaced(task.key.group, task.key.kind)
            comes = (task.key.group, task.key.kind) in coming
            task.blind = comes or (task.key.namespace in spaces and task.key.namespace != "")
            why = ""
            if scope is None:
                task.blind = True
                if not (comes or options.skip_missing or _skips_missing(task)):
                    why = _no_kind(task)
            if not why:
                why = project.refusal(
                    given.project, task.key, given.member, namespaced=bool(task.key.namespace)
                )
            if why:
                task.note(SYNC_FAILED, task.state, why)
                good = False
        return good

    async def _begin(
        self, given: Asked, options: Options, todo: Sequence[Task], applier: Applier
    ) -> plan.Step | None:
        """Before anything is applied: the namespace is made, then everything is tried."""
        space = given.app.spec.destination.namespace
        made = [
            task
            for task in todo
            if task.live is None and task.key == ObjectKey("", "Namespace", "", space)
        ]
        if made and not options.dry_run:
            if await applier.run(made[:1]) == "failed":
                rescue = [task for task in todo if task.phase == tasks.SYNC_FAIL]
                failed = plan.failing(rescue, made[:1], "the namespace failed to apply")
                if failed.run:
                    await applier.run(failed.run)
                return failed
            for task in todo:
                task.blind = task.blind and task.key.namespace != space
        tried = [task for task in todo if task not in made and (task.modified or task.hook)]
        if await applier.check(tried):
            return None
        return plan.Step(phase=FAILED, message="one or more objects failed to apply (dry run)")

    async def _terminate(self, todo: Sequence[Task], applier: Applier) -> plan.Step:
        """End an operation: hooks that run are deleted, what was applied stays."""
        good = True
        for task in todo:
            if not task.hook or not (task.running or task.completed):
                continue
            if task.live is None:
                if task.running:
                    task.note(task.status, tasks.SUCCEEDED, "Terminated")
                continue
            was = task.running
            plan.progress([task], health.of)
            await applier.release(task)
            if was and (task.running or task.deleted_on("HookFailed")):
                running = task.running
                await applier.delete([task])
                good = good and task.state != ERROR
                if running and task.state != ERROR:
                    task.note(task.status, FAILED, "Terminated")
        if good:
            return plan.Step(phase=FAILED, message="Operation terminated")
        return plan.Step(phase=ERROR, message="Operation termination had errors")


def _hooks(targets: Targets) -> list[Target]:
    return [
        one
        for one in targets.objects
        if asked.is_hook(one.object) and not asked.is_ignored(one.object)
    ]


def _skips_missing(task: Task) -> bool:
    return asked.has_option(task.object, asked.SYNC_OPTIONS, "SkipDryRunOnMissingResource=true")


def _no_kind(task: Task) -> str:
    key = task.key
    return (
        f"The Kubernetes API could not find {key.group}/{key.kind} for requested resource "
        f'{key.namespace}/{key.name}. Make sure the "{key.kind}" CRD is installed on the '
        "destination cluster."
    )


def _one(messages: Sequence[str]) -> list[str]:
    return ["; ".join(messages)] if messages else []
