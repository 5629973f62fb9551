"""The controller of Applications: what wakes which application, and who works on it.

A wake-up is a key. Each cluster's objects are followed by a task of its own: one that does not
answer holds up only the applications that go there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fairway.gitops import project
from fairway.gitops.comparing import Comparer
from fairway.gitops.ground import Grounds
from fairway.gitops.kinds import (
    APPLICATION,
    APPLICATION_CRD,
    APPLICATION_RULES,
    PROJECT,
    PROJECT_CRD,
    PROJECT_RULES,
)
from fairway.gitops.live import LiveCluster
from fairway.gitops.objects import Json
from fairway.gitops.reconciling import Reconciler
from fairway.gitops.state import Manifests, Observer, State
from fairway.gitops.telling import Changes, Publish, Teller
from fairway.gitops.writing import Writer
from fairway.kit.aio import together
from fairway.kube import Actor, Informer, Key, Kube, Selection, WorkQueue, objects, own_key
from fairway.kube.crd import ensure
from fairway.kube.errors import KubeExists
from fairway.kube.fleet import Fleet, Member, each
from fairway.kube.kind import NAMESPACE
from fairway.kube.subset import ensure_policy
from fairway.model.errors import FairwayError, NotFound, Unavailable
from fairway.native.toolbox import Toolbox
from fairway.queue.shards import Shards, key_of

_SYNCED_S: Final = 30.0
_LAZY_S: Final = (1.0, 5.0)  # how much later a mere change of the revision may be written
_log = logging.getLogger(__name__)
Handler = Callable[[Json | None, Json | None], None]


class GitOpsSettings(Struct, frozen=True, kw_only=True):
    """How Applications are followed.

    `namespace` is where they are, in the home cluster. Sources that tell us nothing are asked every
    `poll_s` to `poll_s + spread_s` seconds.
    """

    namespace: str = "argocd"
    poll_s: float = 120.0
    spread_s: float = 60.0
    workers: int = 16


class Parts(Struct, frozen=True, kw_only=True):
    """What the controller stands on. `shards` None: all applications are ours."""

    fleet: Fleet
    manifests: Manifests
    toolbox: Toolbox
    shards: Shards | None = None
    publish: Publish | None = None  # of events, None: nobody hears them


class Controller:
    """Run it as a task. `refresh` tells it of what changed elsewhere."""

    def __init__(self, parts: Parts, settings: GitOpsSettings) -> None:
        self._parts = parts
        self._settings = settings
        self._lives: dict[str, LiveCluster] = {}
        self._comparer = Comparer(parts.toolbox)
        self._queue: WorkQueue[Key] = WorkQueue("applications")
        self._apps: Informer | None = None
        self._projects: Informer | None = None
        self._reconciler: Reconciler | None = None
        self._fresh: dict[Key, None] = {}
        self._lazy: dict[Key, str] = {}
        self._polled: dict[Key, float] = {}
        self._spread = random.Random()  # noqa: S311 spreads load, keeps nothing secret
        self.problem = ""

    async def run(self) -> None:
        """Follow clusters and applications until cancelled."""
        if self._parts.shards is not None:
            self._parts.shards.on_gain(lambda _gained: self.wake())
        await each(self._parts.fleet, self._serve, name="applications")

    def refresh(self, concerned: Callable[[Json], bool]) -> int:
        """Have applications look at their sources at once: those for whose `spec.source`
        `concerned` is true. Returns how many there are.
        """
        count = 0
        for obj in self._apps.store if self._apps is not None else ():
            source = (obj.get("spec") or {}).get("source") or {}
            if concerned(source):
                self._fresh[objects.key(obj)] = None
                self._queue.add(objects.key(obj))
                count += 1
        return count

    async def inspect(self, name: str) -> State:
        """An application compared now. Raises `NotFound` (code `no-app`), and as
        `Reconciler.inspect`.
        """
        key = Key(self._settings.namespace, name)
        raw = self._apps.store.get(key) if self._apps is not None else None
        if raw is None or self._reconciler is None:
            raise NotFound(
                f"there is no application {name}", code="no-app", remedy="`fairway get apps`"
            )
        return await self._reconciler.inspect(raw)

    def wake(self) -> None:
        """Look at every application again."""
        for key in self._apps.store.keys() if self._apps is not None else ():
            self._queue.add(key)

    # ---- clusters --------------------------------------------------------------------------------

    async def _serve(self, member: Member) -> None:
        """One cluster's part: what is live there, and the hub's applications."""
        live = LiveCluster(member.client(), self._woken)
        self._lives[member.name] = live
        try:
            async with together() as group:
                group.create_task(live.run(), name=f"live in {member.name}")
                group.create_task(self._ready(live), name=f"cluster {member.name} is read")
                if member.home:
                    group.create_task(self._hub(member.client()), name="the hub")
        finally:
            if self._lives.get(member.name) is live:
                del self._lives[member.name]
            self.wake()

    async def _ready(self, live: LiveCluster) -> None:
        await live.wait_ready()
        self.wake()

    def _woken(self, instance: str) -> None:
        """Something of an application changed in a cluster."""
        namespace, underscore, name = instance.partition("_")
        home = self._settings.namespace
        self._queue.add(Key(namespace, name) if underscore else Key(home, instance))

    # ---- the hub ---------------------------------------------------------------------------------

    async def _hub(self, kube: Kube) -> None:
        kube = kube.acting(Actor(manager="fairway-gitops"))
        await prepare(kube, self._settings.namespace)
        here = Selection(namespace=self._settings.namespace)
        apps = Informer(kube, APPLICATION, selection=here)
        projects = Informer(kube, PROJECT, selection=here)
        writer = Writer(kube, apps)
        teller = Teller(kube, self._parts.publish or _nobody)
        grounds = Grounds(self._parts.fleet, self._lives, self._project, self._settings.namespace)
        observer = Observer(self._parts.manifests, self._comparer)
        reconciler = Reconciler(observer, grounds, writer, self._parts.toolbox)
        self._apps, self._projects, self._reconciler = apps, projects, reconciler
        try:
            async with together() as group:
                group.create_task(apps.run(), name="applications")
                group.create_task(projects.run(), name="projects")
                await projects.wait_synced(_SYNCED_S)
                await apps.wait_synced(_SYNCED_S)
                apps.on_change(self._changed)
                apps.on_change(self._ours(teller.changed))
                group.create_task(teller.run(), name="changes of applications")
                group.create_task(teller.record(), name="events of applications")
                projects.on_change(lambda _old, _new: self.wake())
                group.create_task(self._poll(), name="polling of sources")
                await self._queue.run(
                    lambda key: self._work(reconciler, key), workers=self._settings.workers
                )
        finally:
            self._apps = self._projects = self._reconciler = None

    def _changed(self, old: Json | None, new: Json | None) -> None:
        """Wake for all but what we wrote ourselves into the status."""
        if old is not None and new is not None and _asked(old) == _asked(new):
            return
        for key in own_key(new or old or {}):
            self._queue.add(key)

    def _ours(self, handler: Handler) -> Handler:
        """For changes of applications that are this process's."""

        def changed(old: Json | None, new: Json | None) -> None:
            key = objects.key(new or old or {})
            shards = self._parts.shards
            if shards is None or shards.owns(key_of("", key.namespace, key.name)):
                handler(old, new)

        return changed

    def _project(self, name: str) -> project.Project | None:
        if self._projects is None:
            return None
        found = self._projects.store.get(Key(self._settings.namespace, name))
        return project.read(found) if found is not None else None

    async def _poll(self) -> None:
        """Have each application's source asked now and then."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for key in self._apps.store.keys() if self._apps is not None else ():
                due = self._polled.get(key)
                if due is None:
                    self._polled[key] = now + self._pause()
                elif due <= now:
                    self._polled[key] = now + self._pause()
                    self._fresh[key] = None
                    self._queue.add(key)
            await asyncio.sleep(min(1.0, self._settings.poll_s))

    def _pause(self) -> float:
        return self._settings.poll_s + self._spread.random() * self._settings.spread_s

    # ---- one application -------------------------------------------------------------------------

    async def _work(self, reconciler: Reconciler, key: Key) -> float | None:
        shards = self._parts.shards
        if shards is None:
            return await self._reconcile(reconciler, key)
        whose = key_of("", key.namespace, key.name)
        return await shards.guarded(whose, lambda: self._reconcile(reconciler, key))

    async def _reconcile(self, reconciler: Reconciler, key: Key) -> float | None:
        raw = self._apps.store.get(key) if self._apps is not None else None
        if raw is None:
            reconciler.forget(key)
            for known in (self._fresh, self._lazy, self._polled):
                known.pop(key, None)
            return None
        fresh = key in self._fresh
        self._fresh.pop(key, None)
        lazy = self._lazy.pop(key, None) is None
        try:
            again = await reconciler.reconcile(raw, fresh=fresh, lazy=lazy)
        except FairwayError as error:
            if fresh:
                self._fresh[key] = None
            if not error.retriable:
                _log.warning("the application %s: %s", key, error)
            raise
        if again == -1.0:
            self._lazy[key] = ""
            return self._spread.uniform(*_LAZY_S)
        return again


async def _nobody(_changes: Changes) -> None:
    """Nobody hears."""


def _asked(obj: Json) -> tuple[object, ...]:
    """What of an application is others' to write."""
    meta = objects.metadata(obj)
    state = (obj.get("status") or {}).get("operationState") or {}
    return (
        obj.get("spec"),
        obj.get("operation"),
        meta.get("annotations"),
        meta.get("finalizers"),
        meta.get("deletionTimestamp"),
        meta.get("uid"),
        state.get("phase") == "Terminating",
    )


async def prepare(kube: Kube, namespace: str) -> None:
    """The namespace of Applications, their kinds, and the project `default`. Repeatable."""
    await ensure(kube, [APPLICATION_CRD, PROJECT_CRD])
    kube.kinds.invalidate()
    if await kube.find(NAMESPACE, namespace) is None:
        await _made(kube, {"metadata": {"name": namespace}}, namespace="")
    for kind, rules in ((APPLICATION, APPLICATION_RULES), (PROJECT, PROJECT_RULES)):
        try:
            await ensure_policy(kube, kind, rules)
        except FairwayError as error:
            if isinstance(error, Unavailable):
                raise
            _log.warning("%s refuses nothing by admission, only by conditions: %s", kind, error)
    if await kube.find(PROJECT, project.DEFAULT, namespace) is None:
        await _made(kube, project.default(namespace), namespace=namespace)


async def _made(kube: Kube, obj: Json, *, namespace: str) -> None:
    """Create what somebody else may create at the same moment."""
    try:
        await kube.create(PROJECT if namespace else NAMESPACE, obj)
    except KubeExists:
        return
