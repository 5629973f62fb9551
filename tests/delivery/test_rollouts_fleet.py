"""Two processes share the Rollouts of a fleet; a cluster out of reach holds up nobody."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from rolloutground import nothing_told, rollout

from fairway.kit.aio import background
from fairway.kube import Kube, Selection
from fairway.kube.kind import REPLICA_SET
from fairway.model.errors import Unavailable
from fairway.model.events import RolloutChanged
from fairway.queue.shards import Shards
from fairway.rollout.controller import prepare
from fairway.rollout.crds import ROLLOUT
from fairway.rollout.fleet import KIND, Rollouts
from fairway.rollout.matching import Equality
from fairway.rollout.routers.gateway_api import GatewayApi
from fairway.store import outbox
from fairway.store.database import Database
from fairway.testing.fleet import StaticFleet
from fairway.testing.waiting import eventually

NAMES = [f"web-{number}" for number in range(6)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_two_processes_work_on_each_rollout_once(
    kube: Kube, namespace: str, database: Database
) -> None:
    fleet = StaticFleet(home=kube)
    fleet.add("away", None, Unavailable("it does not answer", code="cluster-unavailable"))

    def process(holder: str) -> Rollouts:
        return Rollouts(
            fleet,
            Shards(database, KIND, holder),
            database=database,
            router=GatewayApi(nothing_told),
            equality=Equality(None),
        )

    await prepare(kube, own=False)
    async with background(process("one").run(), process("two").run()):
        for name in NAMES:
            body = rollout({"canary": {"steps": [{"setWeight": 50}]}})
            body["metadata"] = {"name": name, "namespace": namespace}
            await kube.create(ROLLOUT, body)

        async def healthy() -> bool:
            found = await kube.list(ROLLOUT, Selection(namespace=namespace))
            return [(one.get("status") or {}).get("phase") for one in found] == ["Healthy"] * 6

        await eventually("all of them healthy", healthy)
        sets = await kube.list(REPLICA_SET, Selection(namespace=namespace))
        assert len(sets) == len(NAMES)

        async def told() -> bool:
            return await database.read(partial(_ended, namespace)) == sorted(NAMES)

        await eventually("each told of once as healthy", told)


def _ended(namespace: str, db: Any) -> list[str]:
    """Those of this test: the cluster has others' besides."""
    found = [one[2] for one in outbox.since(db, 0) if isinstance(one[2], RolloutChanged)]
    mine = [one for one in found if one.namespace == namespace]
    return sorted(one.name for one in mine if one.phase == "Healthy")
