"""A running rollout controller in a test's namespace, and what is asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fairway.kit.aio import background
from fairway.kube import Json, Kube, Selection
from fairway.kube.errors import KubeForbidden, KubeInvalid
from fairway.kube.kind import EVENT, REPLICA_SET, SERVICE
from fairway.kube.subset import BINDING, POLICY, policy
from fairway.native.toolbox import Toolbox
from fairway.rollout.controller import Controller, prepare
from fairway.rollout.crds import PLUGIN, ROLLOUT, RULES
from fairway.rollout.matching import Equality
from fairway.rollout.objects import HASH, REVISION
from fairway.rollout.router import Told
from fairway.rollout.routers.gateway_api import HTTP_ROUTE, GatewayApi
from fairway.testing.fake_gateway import FakeGateway
from fairway.testing.waiting import eventually


def nothing_told(route: Any) -> None:
    return None


class Ground:
    """One namespace with a controller."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        told: Told = nothing_told,
        toolbox: Toolbox | None = None,
    ) -> None:
        self.kube, self.namespace = kube, namespace
        self._equality = Equality(toolbox)
        self.gateway = FakeGateway(kube)
        self._told = told
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        router = GatewayApi(self._told)
        controller = Controller(self.kube, router, equality=self._equality)
        self._task = asyncio.get_running_loop().create_task(controller.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()
            self._task = None

    # ---- making ----------------------------------------------------------------------------------

    async def services(self, *names: str) -> None:
        for name in names:
            body = {
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
            }
            await self.kube.create(SERVICE, body)

    async def route(self, name: str = "web") -> None:
        refs = [{"name": each, "port": 80} for each in ("stable", "canary")]
        body = {
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": refs}]},
        }
        await self.kube.create(HTTP_ROUTE, body)

    async def create(self, strategy: Json, *, replicas: int | None = 2, **spec: Any) -> None:
        body = rollout(strategy, replicas=replicas, **spec)
        body["metadata"]["namespace"] = self.namespace
        await self.kube.create(ROLLOUT, body)

    async def create_what_a_policy_refuses(self, strategy: Json) -> None:
        """As in a cluster that is not the home: without the policy that another test has left."""
        for kind in (BINDING, POLICY):
            await self.kube.delete(kind, policy(ROLLOUT, RULES)[0]["metadata"]["name"])

        async def created() -> bool:
            try:
                await self.create(strategy)
            except (KubeInvalid, KubeForbidden):
                return False
            return True

        await eventually("the policy gone", created)

    # ---- asking ----------------------------------------------------------------------------------

    async def get(self) -> Json:
        return await self.kube.get(ROLLOUT, "web", self.namespace)

    async def until(self, what: str, is_so: Callable[[Json], Any], seconds: float = 90) -> Json:
        last: Json = {}

        async def ask() -> Json | None:
            nonlocal last
            last = await self.get()
            return last if is_so(last) else None

        try:
            return await eventually(what, ask, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last.get('status')}") from None

    async def phase(self, phase: str, seconds: float = 90) -> Json:
        def is_so(found: Json) -> bool:
            status = found.get("status") or {}
            observed = status.get("observedGeneration") == str(found["metadata"]["generation"])
            unpaused = status.get("controllerPause") and not status.get("pauseConditions")
            return bool(observed and not unpaused and status.get("phase") == phase)

        return await self.until(f"the phase {phase}", is_so, seconds)

    async def versions(self) -> dict[int, Json]:
        found = await self.kube.list(REPLICA_SET, Selection(namespace=self.namespace))
        return {int(one["metadata"]["annotations"][REVISION]): one for one in found}

    async def pods(self) -> dict[int, int]:
        return {at: one["spec"]["replicas"] for at, one in (await self.versions()).items()}

    async def selects(self, service: str) -> str:
        found = await self.kube.get(SERVICE, service, self.namespace)
        return str(found["spec"]["selector"].get(HASH, ""))

    async def weights(self, name: str = "web") -> dict[str, int]:
        found = await self.kube.get(HTTP_ROUTE, name, self.namespace)
        return {one["name"]: one["weight"] for one in found["spec"]["rules"][0]["backendRefs"]}

    async def reasons(self) -> list[str]:
        """The reasons of the Rollout's events, in their order."""
        found = await self.kube.list(EVENT, Selection(namespace=self.namespace))
        mine = [one for one in found if one["involvedObject"]["kind"] == "Rollout"]
        mine.sort(key=lambda one: int(one["metadata"]["name"].rpartition(".")[2][:15], 16))
        return [one["reason"] for one in mine]

    async def told(self, expected: list[str]) -> None:
        """Wait until exactly these events were told."""
        found: list[str] = []

        async def ask() -> bool:
            nonlocal found
            found = await self.reasons()
            return found == expected

        try:
            await eventually("the events", ask)
        except AssertionError:
            assert found == expected

    # ---- what people do --------------------------------------------------------------------------

    async def image(self, tag: str) -> None:
        template = {"spec": {"containers": [container(tag)]}}
        await self.patch({"spec": {"template": template}})

    async def patch(self, body: Json, *, status: bool = False) -> None:
        await self.kube.patch(
            ROLLOUT, "web", self.namespace, body=body, subresource="status" if status else ""
        )

    async def promote(self) -> None:
        await self.patch({"status": {"pauseConditions": None}}, status=True)

    async def promote_full(self) -> None:
        await self.patch({"status": {"promoteFull": True}}, status=True)

    async def abort(self) -> None:
        await self.patch({"status": {"abort": True}}, status=True)

    async def retry(self) -> None:
        await self.patch({"status": {"abort": False}}, status=True)


def container(tag: str) -> Json:
    return {"name": "web", "image": f"example.org/web:{tag}"}


def rollout(strategy: Json, *, replicas: int | None = 2, **spec: Any) -> Json:
    labels = {"app": "web"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, **spec.pop("pod", {})},
                "spec": {"containers": [container("1")]},
            },
            "strategy": strategy,
            **spec,
        },
    }


def routed(*steps: Json, **more: Any) -> Json:
    """A canary by HTTPRoute."""
    return {
        "canary": {
            "canaryService": "canary",
            "stableService": "stable",
            "trafficRouting": {"plugins": {PLUGIN: {"httpRoute": "web"}}},
            "steps": list(steps),
            **more,
        }
    }


@asynccontextmanager
async def ground(
    kube: Kube, namespace: str, told: Told = nothing_told, toolbox: Toolbox | None = None
) -> AsyncIterator[Ground]:
    await prepare(kube, own=False)
    made = Ground(kube, namespace, told, toolbox)
    async with background(made.gateway.run()):
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
