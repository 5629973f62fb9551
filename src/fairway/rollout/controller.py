"""The shell around `decide`: one cluster's Rollouts, worked on where their shards are held."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from fairway.kit import clock
from fairway.kube import Actor, Json, Key, Kube, WorkQueue
from fairway.kube.crd import ensure
from fairway.kube.errors import KubeConflict, KubeForbidden, KubeInvalid, KubeNotFound
from fairway.kube.kind import SERVICE
from fairway.kube.subset import ensure_policy
from fairway.kube.workqueue import Pace
from fairway.rollout import services
from fairway.rollout.acting import Acting
from fairway.rollout.analysis import crds as analysis_crds
from fairway.rollout.crds import ROLLOUT, ROLLOUT_CRD, RULES
from fairway.rollout.decide import cannot_create, decide
from fairway.rollout.matching import Equality
from fairway.rollout.plan import CreateSet, Plan, Seen, Tell
from fairway.rollout.recorder import tell
from fairway.rollout.router import Router
from fairway.rollout.watching import Watched

ACTOR: Final = Actor(manager="fairway-rollouts")
WORKERS: Final = 16
_SYNC_S: Final = 300.0
_AGAIN_S: Final = 0.05
_REFUSED_S: Final = 10.0
_PACE: Final = Pace(first_s=0.05, most_s=30.0)
log: Final = logging.getLogger(__name__)


class Guard(Protocol):
    """Runs work where a key's shard is held, and cancels it when that is lost."""

    async def __call__(self, key: Key, work: Callable[[], Awaitable[float | None]]) -> float | None:
        """What `work` returns; None elsewhere."""
        ...


class Noted(Protocol):
    """Is told of every Rollout that was looked at, as it is: derives events from it."""

    async def __call__(self, rollout: Json) -> None: ...


class Controller:
    """Rollouts of one cluster. `guard` None: all of them are worked on here."""

    def __init__(
        self,
        kube: Kube,
        router: Router,
        *,
        equality: Equality | None = None,
        guard: Guard | None = None,
        noted: Noted | None = None,
        own: bool = False,
    ) -> None:
        """`own`: the cluster is ours, and gets an admission policy besides the CRDs."""
        self._kube = kube.acting(ACTOR)
        self._router = router
        self._equality = equality or Equality(None)
        self._guard, self._noted, self._own = guard, noted, own
        self.queue: WorkQueue[Key] = WorkQueue("rollouts", pace=_PACE)
        self.watched = Watched(self._kube, router, self.queue)
        self._events: asyncio.Queue[tuple[Json, Tell]] = asyncio.Queue()

    async def run(self) -> None:
        """Until cancelled. Raises `FairwayError` while the cluster cannot be prepared."""
        await prepare(self._kube, own=self._own)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watched.run(), name="rollouts' objects")
            group.create_task(self._work_all(), name="rollouts' workers")
            group.create_task(self._tell(), name="rollouts' events")

    def again(self) -> None:
        """Look at every Rollout: after shards were gained."""
        for key in self.watched.rollouts.store.keys():  # noqa: SIM118 a store is no dict
            self.queue.add(key)

    async def _work_all(self) -> None:
        await self.watched.wait_synced(_SYNC_S)
        await self.queue.run(self._guarded, workers=WORKERS)

    async def _guarded(self, key: Key) -> float | None:
        if self._guard is None:
            return await self._work(key)
        return await self._guard(key, lambda: self._work(key))

    async def _work(self, key: Key) -> float | None:
        rollout = self.watched.rollouts.store.get(key)
        if rollout is None:
            await self._release(key)
            return None
        sets = self.watched.versions(rollout)
        seen = self.watched.seen(rollout, await self._equality.match(rollout, sets))
        plan = decide(seen, now(), self._router)
        try:
            again = await self._carry_out(seen, plan)
        except (KubeConflict, KubeNotFound):
            again = _AGAIN_S  # it changed meanwhile: decided anew from what is there now
        if self._noted is not None:
            await self._noted(rollout)
        return again

    async def _release(self, key: Key) -> None:
        """What a Rollout that is gone managed selects every pod of its labels again."""
        for name in self.watched.left_behind(key):
            body = dict(services.RELEASED)
            self.watched.observe(await self._kube.patch(SERVICE, name, key.namespace, body=body))

    async def _carry_out(self, seen: Seen, plan: Plan) -> float | None:
        acting = Acting(
            self._kube,
            seen,
            told=lambda what: self._events.put_nowait((seen.rollout, what)),
            observe=self.watched.observe,
        )
        try:
            await acting.carry_out(plan)
        except (KubeInvalid, KubeForbidden) as error:
            if not any(isinstance(one, CreateSet) for one in plan.actions):
                raise
            await acting.carry_out(cannot_create(seen, now(), str(error)))
            return _REFUSED_S
        return plan.again

    async def _tell(self) -> None:
        """Events in their order, beside the work: a promotion does not wait for them."""
        while True:
            rollout, what = await self._events.get()
            await tell(
                self._kube,
                rollout,
                reason=what.reason,
                message=what.message,
                type="Warning" if what.warning else "Normal",
            )


async def prepare(kube: Kube, *, own: bool) -> None:
    """Have the cluster know the kinds of rollouts and analyses."""
    await ensure(kube, (ROLLOUT_CRD, *analysis_crds.CRDS))
    if own:
        await ensure_policy(kube, ROLLOUT, RULES)


def now() -> datetime.datetime:
    """The time of day as decisions take it."""
    return datetime.datetime.fromtimestamp(clock.seconds(), datetime.UTC)
