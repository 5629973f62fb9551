"""Releases in trouble: restarts, a cluster out of reach, checks that fail, another cluster."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from release_deploying import roots, stand_in
from release_town import WAIT_S, Town

from fairway.gitops.kinds import APPLICATION
from fairway.kit.aio import background
from fairway.kube import Kube, Selection, crd
from fairway.kube.kind import SECRET
from fairway.model.errors import Conflict, Unavailable
from fairway.model.release import PromotionState
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.release import recreating
from fairway.release.checks import RELEASE
from fairway.release.deliveries import kept
from fairway.rollout.analysis.crds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CRDS
from fairway.store.database import Database
from fairway.testing.waiting import eventually

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


@pytest.fixture
async def town(
    database: Database, kube: Kube, toolbox: Toolbox, tmp_path: Path
) -> AsyncIterator[Town]:
    made = Town(database, kube, toolbox, tmp_path)
    await made.prepare()
    yield made
    await made.end()


def _lives() -> Iterator[float | None]:
    """Seconds until the next end: longer and longer, for what takes long; the last has no end."""
    pick = random.Random(7)
    yield from (pick.uniform(0.2, 1.0) * (1 + number / 5) for number in range(25))
    yield None


async def test_restarts_anywhere_come_to_the_same_end(town: Town) -> None:
    await town.deliver()
    first = await town.candidate()
    async with background(stand_in(town)):
        for life in _lives():
            with contextlib.suppress(TimeoutError):
                async with town.running(), asyncio.timeout(life):
                    await town.until("production", "passed")
                    break
    gc.collect()  # what is left open is told of here
    assert [one.state for one in await town.lane("production")] == [PromotionState.PASSED]
    assert first in await town.runs("production")
    assert len(await town.releases()) == 1
    subjects = await town.subjects("acme/catalogue")
    assert subjects.count("Release catalogue 0.1.0-rc.1") == 1
    placed = await town.subjects("acme/environments")
    assert placed.count("Promote catalogue 0.1.0-rc.1 in production") == 1


async def test_an_environment_out_of_reach_holds_up_nobody_else(town: Town, kube: Kube) -> None:
    away = Unavailable("no route to host", code="cluster-unavailable")
    town.fleet.add("far", None, away)
    await town.deliver(production={"cluster": "far"})
    async with town.running(stand_in(town)):
        await town.candidate()
        await town.until("staging", "passed")

        async def waits() -> bool:
            lane = await town.lane("production")
            return bool(lane) and "far is out of reach" in lane[0].message

        await eventually("it says why it waits", waits, seconds=WAIT_S)
        town.fleet.add("far", kube)
        await town.until("production", "passed")


async def _runs(town: Town) -> list[dict[str, Any]]:
    return await town.kube.list(ANALYSIS_RUN, Selection(namespace=town.namespaces["staging"]))


@pytest.mark.parametrize(("phase", "state"), [("Successful", "passed"), ("Failed", "rejected")])
async def test_an_analysis_in_the_environment_before_opens_the_gate_or_closes_it(
    town: Town, phase: str, state: str
) -> None:
    await crd.ensure(town.kube, CRDS)
    metric = {"name": "m", "provider": {"job": {"spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}}  # fmt: skip
    template = {
        "metadata": {"name": "smoke", "namespace": town.namespaces["staging"]},
        "spec": {"args": [{"name": "fairway-version"}], "metrics": [metric]},
    }
    await town.kube.create(ANALYSIS_TEMPLATE, template)
    await town.deliver(production={"gates": {"verification": {"analysis": {"template": "smoke"}}}})
    async with town.running(stand_in(town)):
        await town.candidate()

        async def asked() -> dict[str, Any] | None:
            return next(iter(await _runs(town)), None)

        run = await eventually("an analysis runs", asked, seconds=WAIT_S)
        assert run["spec"]["args"] == [{"name": "fairway-version", "value": "0.1.0-rc.1"}]
        assert run["metadata"]["labels"] == {RELEASE: "1"}
        name = run["metadata"]["name"]
        body = {"status": {"phase": phase, "message": "so it is"}}
        await town.kube.patch(ANALYSIS_RUN, name, town.namespaces["staging"], body=body)
        done = await town.until("production", state)
        assert (state == "passed") or "so it is" in done.message
        assert len(await _runs(town)) == 1


async def test_an_environment_is_made_anew_in_another_cluster_repeatably(
    town: Town, kube: Kube
) -> None:
    await town.deliver()
    async with town.running(stand_in(town)):
        await town.candidate()
        await town.until("production", "passed")
        (delivery,) = (await town.database.read(kept)).values()
        place = delivery.environment("production")
        assert place is not None
        with pytest.raises(Conflict):
            await recreating.deploy(town.deps, delivery, place, "local")
        town.fleet.add("eu", kube)
        (made,) = await recreating.deploy(town.deps, delivery, place, "eu")
        assert (made.application, made.revision, made.changed) == (
            "catalogue-production-eu", "0.1.0-rc.1", True,
        )  # fmt: skip
        found = await kube.get(APPLICATION, made.application, town.hub)
        assert found["spec"]["destination"] == {
            "name": "eu", "namespace": town.namespaces["production"],
        }  # fmt: skip
        (again,) = await recreating.deploy(town.deps, delivery, place, "eu")
        assert not again.changed


def _configuration(namespace: str) -> str:
    """What Git has for the environment: settings, and a database that needs a password."""
    films = {"name": "films", "key": "password"}
    container = {
        "name": "films",
        "image": "films",
        "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": films}}],
    }
    labels = {"app": "films"}
    return yaml.safe_dump_all(
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "catalogue", "namespace": namespace},
                "data": {"HOST": "films"},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "films", "namespace": namespace},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [container]},
                    },
                },
            },
        ]
    )


async def test_what_is_made_anew_brings_its_configuration_and_names_each_secret_that_lacks(
    town: Town, kube: Kube
) -> None:
    namespace = town.namespaces["production"]
    files = {"production/configuration.yaml": _configuration(namespace)}
    await town.commit("acme/environments", files, "Say what production needs")
    await roots(town)
    await town.deliver()
    async with town.running(stand_in(town)):
        await town.candidate()
        await town.until("production", "passed")
    (delivery,) = (await town.database.read(kept)).values()
    place = delivery.environment("production")
    assert place is not None
    town.fleet.add("eu", kube)

    async def deployed() -> list[tuple[str, bool, tuple[str, ...]]]:
        made = await recreating.deploy(town.deps, delivery, place, "eu")
        return [(one.service, one.changed, one.missing) for one in made]

    await kube.delete(SECRET, "catalogue", namespace)
    assert await deployed() == [
        ("", False, (f"Secret films key password in {namespace}",)),
        ("catalogue", False, (f"Secret catalogue key password in {namespace}",)),
    ]
    for name in (f"production-{town.hub}-eu", "catalogue-production-eu"):
        assert await kube.find(APPLICATION, name, town.hub) is None
    await town.secret("production", password="another")
    films = {"metadata": {"name": "films", "namespace": namespace}, "stringData": {"password": "x"}}
    await kube.create(SECRET, films)
    assert await deployed() == [("", True, ()), ("catalogue", True, ())]
    copy = await kube.get(APPLICATION, f"production-{town.hub}-eu", town.hub)
    assert copy["spec"]["destination"] == {"name": "eu", "namespace": town.hub}
    assert copy["spec"]["source"]["directory"] == {"exclude": "catalogue.yaml"}
    assert await deployed() == [("", False, ()), ("catalogue", False, ())]
