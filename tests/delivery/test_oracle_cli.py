"""`kubectl argo rollouts`, Argo's own program, on our controller."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from oracleground import command, needed
from rolloutground import Ground, nothing_told

from fairway.kit.aio import blocking
from fairway.kube import Kube
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.rollout.controller import Controller, prepare
from fairway.rollout.matching import Equality
from fairway.rollout.routers.gateway_api import GatewayApi
from fairway.testing.apiserver import ApiServer

pytestmark = needed


class Person:
    """Somebody with Argo's program in one namespace."""

    def __init__(self, config: Path, namespace: str) -> None:
        self._config, self._namespace = config, namespace

    async def does(self, *words: str) -> str:
        """What it says. It must succeed."""
        run = partial(command, self._config, *words, "--namespace", self._namespace)
        status, said = await blocking(run)
        assert status == 0, said
        return said

    async def status(self, *words: str) -> str:
        """The first word of `status`, which watches until the deadline unless told not to."""
        run = partial(
            command, self._config, "status", "web", "--namespace", self._namespace, *words
        )
        return (await blocking(run))[1]


@pytest.fixture
def person(cluster_server: ApiServer, namespace: str, tmp_path: Path) -> Person:
    at = tmp_path / "kubeconfig"
    at.write_text(json.dumps(cluster_server.kubeconfig()))
    return Person(at, namespace)


class Whole(Ground):
    """With a toolbox, as a real installation: an undone template is the one that was there."""

    toolbox: Toolbox

    async def start(self) -> None:
        router = GatewayApi(nothing_told)
        controller = Controller(self.kube, router, equality=Equality(self.toolbox))
        self._task = asyncio.get_running_loop().create_task(controller.run())


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def web(kube: Kube, namespace: str, toolbox: Toolbox) -> AsyncIterator[Ground]:
    await prepare(kube, own=False)
    made = Whole(kube, namespace)
    made.toolbox = toolbox
    await made.start()
    yield made
    await made.stop()


def canary(*steps: dict[str, object]) -> dict[str, object]:
    return {"canary": {"steps": list(steps)}}


async def test_promote_goes_on_and_full_promotion_skips_the_rest(
    web: Ground, person: Person
) -> None:
    pause: dict[str, object] = {"pause": {}}
    await web.create(canary({"setWeight": 50}, pause, {"setWeight": 75}, pause, pause))
    await web.phase("Healthy")
    await person.does("set", "image", "web", "web=example.org/web:2")
    await web.phase("Paused")
    assert "Paused" in await person.status("--watch=false")
    seen = await person.does("get", "rollout", "web", "--no-color")
    for part in ("Status:", "Paused", "CanaryPauseStep", "Step:", "1/5", "SetWeight:", "50"):
        assert part in seen, seen
    assert "revision:2" in seen
    await person.does("promote", "web")
    found = await web.until(
        "the next pause", lambda one: (one["status"].get("currentStepIndex")) == 3
    )
    assert found["status"]["currentStepIndex"] == 3
    await web.phase("Paused")
    await person.does("promote", "web", "--full")
    await web.phase("Healthy")
    assert (await person.status("--timeout", "100s")).strip().startswith("Healthy")


async def test_abort_returns_to_stable_retry_begins_again_and_undo_goes_back(
    web: Ground, person: Person
) -> None:
    await web.create(canary({"setWeight": 50}, {"pause": {}}))
    await web.phase("Healthy")
    await person.does("set", "image", "web", "web=example.org/web:2")
    await web.phase("Paused")
    await person.does("abort", "web")
    await web.phase("Degraded")
    said = await person.status("--watch=false")
    assert "Degraded" in said
    assert "RolloutAborted" in said
    await person.does("retry", "rollout", "web")
    await web.phase("Paused")
    await person.does("undo", "web")
    found = await web.phase("Healthy")
    image = found["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "example.org/web:1"


async def test_a_person_may_pause_and_restart(web: Ground, person: Person) -> None:
    await web.create(canary({"setWeight": 50}))
    await web.phase("Healthy")
    await person.does("pause", "web")
    found = await web.phase("Paused")
    assert found["spec"]["paused"] is True
    await person.does("promote", "web")
    await web.phase("Healthy")


async def test_a_blue_green_release_is_promoted_by_hand(web: Ground, person: Person) -> None:
    await web.services("active", "preview")
    await web.create(
        {
            "blueGreen": {
                "activeService": "active",
                "previewService": "preview",
                "autoPromotionEnabled": False,
            }
        }
    )
    await web.phase("Healthy")
    await person.does("set", "image", "web", "web=example.org/web:2")
    await web.phase("Paused")
    seen = await person.does("get", "rollout", "web", "--no-color")
    for part in ("BlueGreenPause", "stable", "active", "preview"):
        assert part in seen, seen
    before = await web.selects("active")
    await person.does("promote", "web")
    await web.phase("Healthy")

    async def switched() -> bool:
        return await web.selects("active") != before

    assert await switched()
    listed = await person.does("list", "rollouts")
    assert "BlueGreen" in listed
    assert "Healthy" in listed


async def test_several_people_at_once_do_no_harm(web: Ground, person: Person) -> None:
    await web.create(canary({"setWeight": 50}, {"pause": {}}))
    await web.phase("Healthy")
    await person.does("set", "image", "web", "web=example.org/web:2")
    await web.phase("Paused")
    async with asyncio.TaskGroup() as group:
        for _one in range(3):
            group.create_task(person.does("promote", "web"))
    await web.phase("Healthy")
