"""Carries out a sync's tasks in a cluster: as `kubectl apply` does, or by server-side apply.

Fields are validated by the API server (`fieldValidation`), which knows every kind: nothing here
reads its schemas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, Final, Literal

import msgspec

from fairway.gitops import annotations as asked
from fairway.gitops import plan
from fairway.gitops.live import MANAGER, LiveCluster
from fairway.gitops.objects import Json
from fairway.gitops.operating import Options
from fairway.gitops.tasks import (
    ERROR,
    FAILED,
    PRUNE_SKIPPED,
    PRUNED,
    RUNNING,
    SUCCEEDED,
    SYNC_FAILED,
    SYNCED,
    Task,
    defined,
)
from fairway.kit.aio import together
from fairway.kube import Kind, objects
from fairway.kube.crd import established
from fairway.kube.errors import KubeConflict, KubeExists, KubeInvalid, KubeNotFound
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION
from fairway.model.errors import FairwayError
from fairway.native.objects import ThreeWay
from fairway.native.toolbox import Toolbox

_AT_ONCE: Final = 16
_DEFINED_S: Final = 3.0
_POLL_S: Final = 0.05
_SCHEMA: Final = frozenset(
    {"FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported"}
)
_PROPAGATION: Final[dict[str, Literal["Background", "Foreground", "Orphan"]]] = {
    "background": "Background",
    "orphan": "Orphan",
}
Work = Callable[[Task], Awaitable[None]]


class Applier:
    """The tasks of one operation in one cluster. Notes in each task what became of it."""

    def __init__(self, live: LiveCluster, toolbox: Toolbox, options: Options) -> None:
        self._live = live
        self._kube = live.applying
        self._toolbox = toolbox
        self._options = options
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def check(self, tasks: Sequence[Task]) -> bool:
        """Try what is to be applied, without applying it; False where anything is no valid object.

        Only what is wrong with the object itself counts: what it needs may come with this sync.
        """
        bad: list[Task] = []

        async def one(task: Task) -> None:
            try:
                await self._apply(task, dry_run=True)
            except KubeInvalid as error:
                if _is_of_schema(error):
                    task.note(SYNC_FAILED, FAILED, error.message)
                    bad.append(task)
            except FairwayError as error:
                if error.code == "kube-no-kind":
                    task.note(SYNC_FAILED, FAILED, error.message)
                    bad.append(task)

        await self._each([task for task in tasks if not task.prune and not task.blind], one)
        return not bad

    async def run(self, tasks: Sequence[Task]) -> plan.Run:
        """Prune first, then hooks that are made anew go, then everything is applied, kind by kind.

        `waiting`: something is being deleted that has to be gone first.
        """
        dry = self._options.dry_run
        again = [task for task in tasks if task.hook and task.pending and task.live is not None]
        if not dry and again:
            await self._each(again, self.release)
        await self._each([task for task in tasks if task.prune], self._prune)
        if any(task.failed for task in tasks):
            return "failed"
        wanted = [task for task in tasks if not task.prune]
        replaced = [task for task in wanted if task.replaced]
        if replaced and not dry:
            await self._each(replaced, self._clear)
            if any(task.failed for task in replaced):
                return "failed"
            if any(task.live is not None for task in replaced):
                return "waiting"
        for _kind, group in groupby(wanted, key=lambda task: task.key.kind):
            await self._each(list(group), self._noted)
        return "failed" if any(task.status == SYNC_FAILED for task in tasks) else "done"

    async def delete(self, tasks: Sequence[Task]) -> None:
        """Delete hooks whose policy says so."""

        async def one(task: Task) -> None:
            try:
                await self._delete(task)
            except FairwayError as error:
                task.note(task.status, ERROR, f"failed to delete resource: {error}")

        await self._each(tasks, one)

    async def release(self, task: Task) -> None:
        """Take a hook's finalizer away."""
        try:
            for _try in range(5):
                wanted = plan.without_finalizer(task.live) if task.live is not None else None
                if wanted is None or await self._released(task, wanted):
                    return
        except FairwayError as error:
            task.note(task.status, ERROR, f"failed to remove hook finalizer: {error}")

    async def _released(self, task: Task, wanted: Json) -> bool:
        kind = await self._kind(task)
        meta = objects.metadata(wanted)
        body = {
            "metadata": {
                "finalizers": meta.get("finalizers") or None,
                "resourceVersion": meta.get("resourceVersion"),
            }
        }
        try:
            task.live = await self._kube.patch(kind, task.key.name, task.key.namespace, body=body)
            self._live.observe(task.live)
        except KubeNotFound:
            task.live = None
        except KubeConflict:
            task.live = await self._kube.find(kind, task.key.name, task.key.namespace)
            return False
        return True

    async def look(self, task: Task) -> None:
        """Look for the object of a task that is running and was not seen."""
        try:
            kind = await self._kind(task)
            found = await self._kube.find(kind, task.key.name, task.key.namespace)
        except FairwayError as error:
            task.note(task.status, ERROR, f"Failed to get live resource {error}")
            return
        if found is None:
            plan.lost(task)

    # ---- one task --------------------------------------------------------------------------------

    async def _each(self, tasks: Sequence[Task], work: Work) -> None:
        if len(tasks) == 1:
            await work(tasks[0])
            return
        async with together() as group:
            for task in tasks:
                group.create_task(self._gated(task, work), name=f"sync {task.place}")

    async def _gated(self, task: Task, work: Work) -> None:
        async with self._gate:
            await work(task)

    async def _kind(self, task: Task) -> Kind:
        obj = task.object
        return await self._live.kind(str(obj.get("apiVersion")), str(obj.get("kind")))

    async def _prune(self, task: Task) -> None:
        options = self._options
        why = plan.prune_refusal(task, prune=options.prune, default=options.prune_option)
        if why:
            task.note(PRUNE_SKIPPED, SUCCEEDED, why)
        elif options.dry_run:
            task.note(PRUNED, SUCCEEDED, "pruned (dry run)")
        else:
            try:
                if not objects.deleting(task.live or {}):
                    await self._delete(task)
                task.note(PRUNED, SUCCEEDED, "pruned")
            except FairwayError as error:
                task.note(SYNC_FAILED, FAILED, error.message)

    async def _clear(self, task: Task) -> None:
        """Delete a hook that is made anew."""
        try:
            if not await self._delete(task):
                task.live = None
        except FairwayError as error:
            task.note(task.status, ERROR, f"failed to delete resource: {error}")

    async def _delete(self, task: Task) -> bool:
        """Begin an object's deletion; False where there is none."""
        found = await self._kube.delete(
            await self._kind(task),
            task.key.name,
            task.key.namespace,
            uid=objects.uid(task.live or {}),
            propagation=_PROPAGATION.get(self._options.propagation, "Foreground"),
        )
        return found is not None

    async def _noted(self, task: Task) -> None:
        try:
            said = await self._apply(task, dry_run=self._options.dry_run)
        except FairwayError as error:
            task.note(SYNC_FAILED, FAILED, error.message)
            return
        dry = self._options.dry_run
        task.note(SYNCED, SUCCEEDED if dry else RUNNING, said + (" (dry run)" if dry else ""))
        if not dry and task.target is not None and defined(task.target):
            await self._served(task.key.name)

    async def _served(self, name: str) -> None:
        """Wait a little for a definition of resources to be served; what needs it says it else."""
        try:
            async with asyncio.timeout(_DEFINED_S):
                while True:
                    found = await self._kube.find(CUSTOM_RESOURCE_DEFINITION, name)
                    if found is not None and established(found):
                        self._kube.kinds.invalidate()
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return

    async def _apply(self, task: Task, *, dry_run: bool) -> str:
        """Bring an object about; returns what kubectl would say."""
        kind = await self._kind(task)
        name = f"{kind.kind.lower()}{'.' + kind.group if kind.group else ''}/{task.key.name}"
        wanted = _bare(task.target or {}, kind)
        strict = self._strict(wanted)
        if self._server_side(wanted):
            answer = await self._kube.apply(
                kind, wanted, force=True, dry_run=dry_run, strict=strict
            )
            return self._told(answer, f"{name} serverside-applied", dry_run=dry_run)
        wanted = with_last_applied(wanted)
        live = task.live
        if live is None:
            try:
                answer = await self._kube.create(kind, wanted, dry_run=dry_run, strict=strict)
                return self._told(answer, f"{name} created", dry_run=dry_run)
            except KubeExists:
                live = await self._kube.get(kind, task.key.name, task.key.namespace)
        return await self._patch(task, kind, (wanted, live, name), dry_run=dry_run, strict=strict)

    async def _patch(
        self,
        task: Task,
        kind: Kind,
        what: tuple[Json, Json, str],
        *,
        dry_run: bool,
        strict: bool,
    ) -> str:
        wanted, live, name = what
        last = objects.notes(live).get(objects.LAST_APPLIED)
        merge = ThreeWay(
            last=msgspec.json.decode(last) if last else None, wanted=wanted, live=_unmanaged(live)
        )
        made = await self._toolbox.ask(merge)
        if not made.patch:
            return f"{name} unchanged"
        how = "strategic" if made.strategy == "strategic" else "merge"
        answer = await self._send(kind, task, made.patch, how=how, dry_run=dry_run, strict=strict)
        return self._told(answer, f"{name} configured", dry_run=dry_run)

    async def _send(
        self, kind: Kind, task: Task, patch: Json, *, how: str, dry_run: bool, strict: bool
    ) -> Json:
        caller = self._kube.caller
        request = caller.prepare(
            "PATCH",
            kind.path(task.key.namespace if kind.namespaced else "", task.key.name),
            query={
                "fieldManager": MANAGER,
                "fieldValidation": "Strict" if strict else "Warn",
                "dryRun": "All" if dry_run else None,
            },
            body=patch,
            headers={"content-type": f"application/{how}-patch+json" if how == "merge" else _SMP},
        )
        return await caller.call(request)

    def _told(self, answer: Json, said: str, *, dry_run: bool) -> str:
        if not dry_run:
            self._live.observe(answer)
        return said

    def _strict(self, wanted: Json) -> bool:
        own = asked.has_option(wanted, asked.SYNC_OPTIONS, "Validate=false")
        return self._options.validate and not own

    def _server_side(self, wanted: Json) -> bool:
        return server_side(wanted, default=self._options.server_side)


_SMP: Final = "application/strategic-merge-patch+json"


def server_side(wanted: Json, *, default: bool) -> bool:
    """Whether an object is applied on the server's side: its own annotation counts first."""
    if asked.has_option(wanted, asked.SYNC_OPTIONS, "ServerSideApply=false"):
        return False
    return default or asked.has_option(wanted, asked.SYNC_OPTIONS, "ServerSideApply=true")


def with_last_applied(wanted: Json) -> Json:
    """The object with kubectl's copy of itself, by which later applies know what was wanted."""
    meta = objects.metadata(wanted)
    notes = {
        name: text
        for name, text in (meta.get("annotations") or {}).items()
        if name != objects.LAST_APPLIED
    }
    bare = {**wanted, "metadata": {**meta, "annotations": notes}}
    copy = msgspec.json.encode(bare, order="sorted").decode() + "\n"
    return {**bare, "metadata": {**meta, "annotations": {**notes, objects.LAST_APPLIED: copy}}}


def _bare(target: Json, kind: Kind) -> Json:
    """The object as it is sent: without what the server writes, in a namespace if it has one."""
    meta = {
        name: value
        for name, value in objects.metadata(target).items()
        if name not in ("managedFields", "creationTimestamp", "resourceVersion", "uid")
    }
    if not kind.namespaced:
        meta.pop("namespace", None)
    return {**target, "metadata": meta}


def _unmanaged(live: Json) -> Json:
    meta = objects.metadata(live)
    if "managedFields" not in meta:
        return live
    return {**live, "metadata": {name: v for name, v in meta.items() if name != "managedFields"}}


def _is_of_schema(error: KubeInvalid) -> bool:
    """Whether an object can be right nowhere: what a dry run on the client's side would find."""
    reasons: Any = {field.reason for field in error.fields}
    return bool(reasons & _SCHEMA) or not error.fields or "strict decoding" in error.message
