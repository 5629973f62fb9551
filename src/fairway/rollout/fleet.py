"""Rollouts in every cluster of a fleet, shared among processes by shards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fairway.kit.aio import together
from fairway.kube import Key
from fairway.kube.fleet import Fleet, Member, each
from fairway.queue.shards import Shards, key_of
from fairway.rollout.controller import Controller
from fairway.rollout.matching import Equality
from fairway.rollout.router import Router
from fairway.rollout.telling import Telling
from fairway.store.database import Database

KIND: Final = "rollout"


class Rollouts:
    """The controller of Rollouts. `shards` are those of the kind `rollout`."""

    def __init__(
        self,
        fleet: Fleet,
        shards: Shards,
        *,
        database: Database,
        router: Router,
        equality: Equality,
    ) -> None:
        self._fleet, self._shards = fleet, shards
        self._database, self._router, self._equality = database, router, equality

    async def run(self) -> None:
        """Work until cancelled."""
        async with together() as group:
            group.create_task(self._shards.run(), name="shards of rollouts")
            group.create_task(each(self._fleet, self._work_in, name="rollouts"), name="rollouts")

    async def _work_in(self, member: Member) -> None:
        controller = Controller(
            member.client(),
            self._router,
            equality=self._equality,
            guard=_Guard(self._shards, member.name),
            noted=Telling(self._database, member.name),
            own=member.home,
        )
        stop = self._shards.on_gain(lambda _shards: controller.again())
        try:
            await controller.run()
        finally:
            stop()


class _Guard:
    """`controller.Guard` by shards."""

    def __init__(self, shards: Shards, cluster: str) -> None:
        self._shards, self._cluster = shards, cluster

    async def __call__(self, key: Key, work: Callable[[], Awaitable[float | None]]) -> float | None:
        return await self._shards.guarded(key_of(self._cluster, *key), work)
