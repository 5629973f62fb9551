"""A version is found again however its template is written: nothing is deployed anew."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from rolloutground import Ground, ground

from fairway.client import rollouts
from fairway.kube import Kube
from fairway.kube.kind import REPLICA_SET
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.rollout.crds import ROLLOUT
from fairway.testing.waiting import eventually


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def web(kube: Kube, namespace: str, toolbox: Toolbox) -> AsyncIterator[Ground]:
    async with ground(kube, namespace, toolbox=toolbox) as made:
        yield made


async def test_defaults_that_are_written_out_deploy_nothing(web: Ground) -> None:
    await web.create({"canary": {}})
    first = await web.phase("Healthy")
    written = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
    await web.patch({"spec": {"template": {"spec": written}}})
    await web.patch({"metadata": {"annotations": {"a": "1"}}})
    again = await web.phase("Healthy")
    assert again["status"]["currentPodHash"] == first["status"]["currentPodHash"]
    assert list(await web.versions()) == [1]


async def test_undo_brings_the_former_revision_back_by_its_own_replica_set(web: Ground) -> None:
    await web.create({"canary": {}})
    first = await web.phase("Healthy")
    await web.image("2")
    await web.phase("Healthy")
    sets = list((await web.versions()).values())
    operations, wanted = rollouts.undo(await web.get(), sets)
    assert wanted == 1
    await web.kube.patch(ROLLOUT, "web", web.namespace, body=operations, how="json")
    back = await web.phase("Healthy")
    assert back["status"]["stableRS"] == first["status"]["stableRS"]
    assert sorted(await web.versions()) == [2, 3]


async def test_a_replica_set_of_another_with_our_name_is_left_alone(web: Ground) -> None:
    await web.create({"canary": {}})
    first = await web.phase("Healthy")
    body = (await web.versions())[1]
    name = body["metadata"]["name"]
    await web.stop()
    await web.kube.delete(ROLLOUT, "web", web.namespace, propagation="Orphan")

    async def gone() -> bool:
        return await web.kube.find(ROLLOUT, "web", web.namespace) is None

    await eventually("the Rollout gone", gone)
    found = await web.kube.get(REPLICA_SET, name, web.namespace)
    assert found["metadata"]["uid"] == body["metadata"]["uid"]
    await web.start()
    await web.create({"canary": {}})
    second = await web.until(
        "another version", lambda one: (one.get("status") or {}).get("stableRS")
    )
    assert second["status"]["collisionCount"] == 1
    assert second["status"]["stableRS"] != first["status"]["stableRS"]
