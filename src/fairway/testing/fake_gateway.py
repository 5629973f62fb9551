"""A gateway that takes every HTTPRoute and says so in its status, without any traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fairway.kit import clock
from fairway.kube import Informer, Json, Key, Kind, Kube, WorkQueue, objects, own_key
from fairway.kube.errors import KubeConflict, KubeNotFound

HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
Conditions = Callable[[Json], list[Mapping[str, Any]]]


class FakeGateway:
    """`controller` is the name it signs with; `more` gives conditions besides Accepted. While
    `held` is true, it says nothing new."""

    def __init__(
        self, kube: Kube, *, controller: str = "example.org/gateway", more: Conditions | None = None
    ) -> None:
        self.held = False
        self._kube, self._controller, self._more = kube, controller, more
        self._routes = Informer(kube, HTTP_ROUTE)
        self._queue: WorkQueue[Key] = WorkQueue("fake gateway")
        self._routes.feed(self._queue, own_key)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._routes.run(), name="fake gateway's routes")
            group.create_task(self._queue.run(self._work), name="fake gateway")

    def release(self) -> None:
        """Go on saying what is live."""
        self.held = False
        for key in self._routes.store.keys():  # noqa: SIM118 a store is no dict
            self._queue.add(key)

    async def _work(self, key: Key) -> None:
        route = self._routes.store.get(key)
        if route is None or self.held:
            return
        generation = int(objects.metadata(route).get("generation") or 0)
        found = (route.get("status") or {}).get("parents") or ()
        said = [one for each in found for one in each.get("conditions") or ()]
        if said and all(one.get("observedGeneration") == generation for one in said):
            return
        try:
            await self._kube.patch(
                HTTP_ROUTE,
                key.name,
                key.namespace,
                body={"status": {"parents": self._parents(route, generation)}},
                subresource="status",
            )
        except (KubeConflict, KubeNotFound):
            return

    def _parents(self, route: Json, generation: int) -> list[Json]:
        at = (clock.text(clock.now()) or "").partition(".")[0] + "Z"
        plain = {"status": "True", "lastTransitionTime": at, "observedGeneration": generation}
        conditions = [{"type": "Accepted", "reason": "Accepted", "message": "", **plain}]
        conditions += [{**plain, **one} for one in (self._more(route) if self._more else ())]
        return [
            {"parentRef": ref, "controllerName": self._controller, "conditions": conditions}
            for ref in route["spec"].get("parentRefs") or ()
        ]
