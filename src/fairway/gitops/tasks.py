"""The tasks of a sync: one for each object and phase, and in which order they come. Pure.

The order is Argo CD's (and of kinds Helm's): phase, wave, kind, name; namespaces and definitions of
resources come before what needs them. Pruning goes through the waves backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from fairway.gitops import annotations as asked
from fairway.gitops.objects import Json, ObjectKey, ResourceResult, Target, split_version
from fairway.kube import objects

PHASES: Final = ("PreSync", "Sync", "PostSync", "SyncFail")
SYNC: Final = "Sync"
SYNC_FAIL: Final = "SyncFail"

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
ERROR: Final = "Error"
TERMINATING: Final = "Terminating"

SYNCED: Final = "Synced"
SYNC_FAILED: Final = "SyncFailed"
PRUNED: Final = "Pruned"
PRUNE_SKIPPED: Final = "PruneSkipped"

_KINDS: Final = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
_ORDER: Final = {kind: at - len(_KINDS) for at, kind in enumerate(_KINDS)}  # others: 0, the last
_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")
_POLICIES: Final = {
    "BeforeHookCreation": "BeforeHookCreation",
    "HookSucceeded": "HookSucceeded",
    "HookFailed": "HookFailed",
    "before-hook-creation": "BeforeHookCreation",
    "hook-succeeded": "HookSucceeded",
    "hook-failed": "HookFailed",
}


class Task(Struct, kw_only=True):
    """One object in one phase, and how far it is. No `target`: it is to be pruned."""

    phase: str
    key: ObjectKey
    target: Json | None
    live: Json | None
    modified: bool = True
    blind: bool = False  # no dry run: its kind or its namespace comes with this sync
    status: str = ""  # the result: Synced, SyncFailed, Pruned, PruneSkipped
    state: str = ""  # its operation's phase; "" is pending
    message: str = ""
    moved: int | None = None  # the wave that counts instead of its own

    @property
    def object(self) -> Json:
        """What is wanted, else what is there."""
        return self.target if self.target is not None else (self.live or {})

    @property
    def wave(self) -> int:
        """Its wave."""
        return asked.wave(self.object) if self.moved is None else self.moved

    @property
    def hook(self) -> bool:
        """Whether it is a hook."""
        return asked.is_hook(self.object)

    @property
    def prune(self) -> bool:
        """Whether it is to be pruned."""
        return self.target is None

    @property
    def pending(self) -> bool:
        """Nothing was done yet."""
        return not self.state

    @property
    def running(self) -> bool:
        """It was applied, and is not known to be well or unwell."""
        return self.state == RUNNING

    @property
    def completed(self) -> bool:
        """It has ended."""
        return self.state in (SUCCEEDED, FAILED, ERROR)

    @property
    def failed(self) -> bool:
        """It has ended badly."""
        return self.state in (FAILED, ERROR)

    @property
    def place(self) -> str:
        """As messages name it."""
        return f"{self.key.group}/{self.key.kind}/{self.key.name}"

    def note(self, status: str, state: str, message: str = "") -> None:
        """What became of it; the latest message stays."""
        self.status, self.state = status, state
        self.message = message or self.message

    def deleted_on(self, policy: str) -> bool:
        """Whether it is a hook that is there and has this delete policy."""
        return self.hook and self.live is not None and policy in delete_policies(self.object)

    @property
    def replaced(self) -> bool:
        """Whether the one that is there goes before it is made again."""
        return self.pending and self.deleted_on("BeforeHookCreation")


def delete_policies(obj: Mapping[str, Any]) -> list[str]:
    """A hook's delete policies, Argo CD's and Helm's together; without any, before its creation."""
    names = asked.listed(obj, asked.HOOK_DELETE)
    names += asked.listed(obj, asked.HELM_DELETE)
    found = [_POLICIES[name] for name in names if name in _POLICIES]
    return list(dict.fromkeys(found)) or ["BeforeHookCreation"]


def phases(obj: Mapping[str, Any]) -> list[str]:
    """In which phases an object is synced; none for one that is only to be left alone."""
    if asked.is_skipped(obj):
        return []
    if asked.is_hook(obj):
        return [phase for phase in PHASES if phase in asked.hook_types(obj)]
    return [SYNC]


def of_resources(
    resources: Iterable[ResourceResult], chosen: Callable[[ResourceResult], bool]
) -> list[Task]:
    """A task for each object that is no hook and is `chosen`."""
    found = []
    for one in resources:
        obj = one.target if one.target is not None else one.live
        if obj is None or not chosen(one) or asked.is_hook(obj):
            continue
        found += [
            Task(
                phase=phase,
                key=one.key,
                target=one.target,
                live=one.live,
                modified=one.difference.modified,
            )
            for phase in phases(obj)
        ]
    return found


def of_hooks(
    hooks: Iterable[Target], live: Mapping[ObjectKey, Json], *, revision: str, started: int
) -> list[Task]:
    """A task for each phase of each hook. One that has only a `generateName` is named by revision,
    phase and the operation's start, so that it is found again.
    """
    found = []
    for hook in hooks:
        for phase in phases(hook.object):
            target = _finalized(_named(hook.object, phase, revision, started))
            key = hook.key._replace(name=objects.key(target).name)
            found.append(Task(phase=phase, key=key, target=target, live=live.get(key)))
    return found


def _named(obj: Json, phase: str, revision: str, started: int) -> Json:
    meta = obj["metadata"]
    if meta.get("name"):
        return obj
    short = revision[:7] if len(revision) >= 8 else revision
    name = f"{meta.get('generateName', '')}{short}-{phase}-{started}".lower()
    return {**obj, "metadata": {**meta, "name": name}}


def _finalized(obj: Json) -> Json:
    meta = obj["metadata"]
    kept = list(meta.get("finalizers") or ())
    if asked.HOOK_FINALIZER not in kept:
        kept.append(asked.HOOK_FINALIZER)
    return {**obj, "metadata": {**meta, "finalizers": kept}}


def of_namespace(namespace: str, live: Json | None) -> Task:
    """The task that makes the destination's namespace."""
    target = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    return Task(
        phase="PreSync", key=ObjectKey("", "Namespace", "", namespace), target=target, live=live
    )


def arranged(tasks: Sequence[Task], *, prune_last: bool) -> list[Task]:
    """All tasks in order, those that prune in the waves in which they do."""
    _turn_pruning(tasks)
    last = max((task.wave for task in tasks if task.phase == SYNC), default=0)
    for task in tasks:
        own = asked.has_option(task.live or {}, asked.SYNC_OPTIONS, "PruneLast=true")
        if task.prune and (prune_last or own):
            task.moved = max(last, 0) + 1
    return ordered(tasks)


def _turn_pruning(tasks: Sequence[Task]) -> None:
    """Prune the waves in the opposite order: the first and the last change places, and so on."""
    by_wave: dict[int, list[Task]] = {}
    for task in tasks:
        if task.prune:
            by_wave.setdefault(task.wave, []).append(task)
    waves = sorted(by_wave)
    for wave, other in zip(waves, reversed(waves), strict=True):
        for task in by_wave[wave]:
            if wave != other:
                task.moved = other


def ordered(tasks: Sequence[Task]) -> list[Task]:
    """By phase, wave, kind and name; namespaces and definitions before what needs them."""

    def place(task: Task) -> tuple[int, int, int, str]:
        phase = PHASES.index(task.phase)
        return phase, task.wave, _ORDER.get(task.key.kind, 0), task.key.name

    found = sorted(tasks, key=place)
    found = _needed_first(found, _namespace_made, _namespace_needed)
    return _needed_first(found, _kind_made, _kind_needed)


Names = Callable[[Task], str]


def _needed_first(tasks: list[Task], made: Names, needed: Names) -> list[Task]:
    """Move each task that makes something to before the first one that needs it, into its wave."""
    found: list[Task] = []
    for task in tasks:
        name = made(task) if task.target is not None else ""
        at = next((n for n, one in enumerate(found) if name and needed(one) == name), None)
        if at is None:
            found.append(task)
            continue
        task.moved, task.phase = found[at].wave, found[at].phase
        found.insert(at, task)
    return found


def _namespace_made(task: Task) -> str:
    return task.key.name if (task.key.group, task.key.kind) == ("", "Namespace") else ""


def _namespace_needed(task: Task) -> str:
    return "" if task.target is None or _namespace_made(task) else task.key.namespace


def _kind_made(task: Task) -> str:
    return "/".join(defined(task.target)) if task.target is not None else ""


def _kind_needed(task: Task) -> str:
    if task.target is None or _kind_made(task):
        return ""
    return f"{task.key.group}/{task.key.kind}"


def defined(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """Group and kind that a definition of resources brings; () for what is none."""
    group, _version = split_version(str(obj.get("apiVersion") or ""))
    if (group, obj.get("kind")) != _CRD:
        return ()
    spec = obj.get("spec") or {}
    return str(spec.get("group") or ""), str((spec.get("names") or {}).get("kind") or "")


def remembered(tasks: Iterable[Task], results: Iterable[Mapping[str, Any]]) -> None:
    """Give tasks what was written down of them when the operation was worked on before."""
    known = {_result_key(one): one for one in results}
    for task in tasks:
        found = known.get((*task.key, task.phase))
        if found is not None:
            task.status = str(found.get("status") or "")
            task.state = str(found.get("hookPhase") or "")
            task.message = str(found.get("message") or "")


def _result_key(one: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("group", "kind", "namespace", "name", "syncPhase")
    return tuple(str(one.get(name) or "") for name in names)


def results(tasks: Iterable[Task], before: Iterable[Mapping[str, Any]]) -> list[Json]:
    """`operationState.syncResult.resources`: what is known of each task that began, in the order in
    which they did; what was written of others stays.
    """
    found = {_result_key(one): dict(one) for one in before}
    for task in tasks:
        if task.status or task.state:
            found[(*task.key, task.phase)] = _result(task)
    return list(found.values())


def _result(task: Task) -> Json:
    _group, version = split_version(str(task.object.get("apiVersion") or ""))
    made: Json = {
        "group": task.key.group,
        "version": version,
        "kind": task.key.kind,
        "namespace": task.key.namespace,
        "name": task.key.name,
        "syncPhase": task.phase,
        "status": task.status,
        "hookPhase": task.state,
        "message": task.message,
        "hookType": task.phase if task.hook else "",
        "images": images(task.object),
    }
    needed = {"group", "version", "kind", "namespace", "name"}
    return {name: value for name, value in made.items() if value or name in needed}


def images(obj: Mapping[str, Any]) -> list[str]:
    """The images that an object's pods run; of a kind without a pod template none."""
    spec = obj.get("spec") or {}
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod = spec if obj.get("kind") == "Pod" else (spec.get("template") or {}).get("spec") or {}
    if not isinstance(pod, dict):
        return []
    found = [
        str(one["image"])
        for name in ("initContainers", "containers")
        for one in pod.get(name) or ()
        if isinstance(one, dict) and one.get("image")
    ]
    return list(dict.fromkeys(found))
