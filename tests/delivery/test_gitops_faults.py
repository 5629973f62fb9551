"""Syncs that are interrupted, refused and contested."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from gitops_town import Town, automated, config, job, noted, town

from fairway.kube import Json, Kube, Selection
from fairway.kube.kind import CONFIG_MAP, JOB, NAMESPACE, POD, Kind
from fairway.native.programs import find
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.testing.fake_kubelet import READY_AFTER
from fairway.testing.waiting import eventually

QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """One toolbox for all tests here."""
    folder = tmp_path_factory.mktemp("toolbox")
    server = Server(folder, lambda: find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native)
    yield Toolbox(server)
    server.stop()


async def waiting_for_its_hook(place: Town) -> None:
    async def ask() -> bool:
        state = ((await place.app("shop")).get("status") or {}).get("operationState") or {}
        return "waiting for completion of hook" in state.get("message", "")

    await eventually("it waits for its hook", ask)


async def let_its_pods_end(kube: Kube, namespace: str) -> None:
    async def there() -> list[Json]:
        return await kube.list(POD, Selection(namespace=namespace))

    for pod in await eventually("its pod", there):
        body = {"metadata": {"annotations": {READY_AFTER: "0"}}}
        await kube.patch(POD, pod["metadata"]["name"], namespace, body=body)


async def test_a_sync_that_a_crash_interrupted_goes_on_and_runs_no_hook_twice(
    kube: Kube, namespace: str, toolbox: Toolbox
) -> None:
    slow = noted(job("slow", "never"), hook="PreSync")
    objects = (config("a", key="1"), slow)
    async with town(kube, namespace, toolbox) as place:
        place.push("shop", *objects)
        await place.create("shop", namespace, syncPolicy=automated())
        await waiting_for_its_hook(place)
        first = await kube.get(JOB, "slow", namespace)
    async with town(kube, namespace, toolbox) as place:
        place.push("shop", *objects)
        await let_its_pods_end(kube, namespace)
        found = await place.until("shop", sync="Synced", phase="Succeeded")
        assert (await kube.get(JOB, "slow", namespace))["metadata"]["uid"] == (
            first["metadata"]["uid"]
        )
        assert len(found["status"]["history"]) == 1


async def test_what_the_cluster_refuses_at_last_fails_with_its_words_and_is_tried_again(
    kube: Kube, namespace: str, toolbox: Toolbox
) -> None:
    quota: Any = {"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "0"}}}
    quota["metadata"]["namespace"] = namespace
    await kube.create(QUOTA, quota)

    async def counted() -> bool:
        found = await kube.get(QUOTA, "q", namespace)
        return "count/configmaps" in ((found.get("status") or {}).get("hard") or {})

    await eventually("the quota counts", counted)
    async with town(kube, namespace, toolbox) as place:
        place.push("shop", config("a", key="1"))
        retry = {"limit": 1000, "backoff": {"duration": "500ms", "factor": 1}}
        await place.create("shop", namespace, syncPolicy={**automated(), "retry": retry})

        async def refused() -> bool:
            state = (await place.app("shop")).get("status", {}).get("operationState") or {}
            return "exceeded quota" in state.get("message", "")

        await eventually("it is refused", refused)
        await kube.delete(QUOTA, "q", namespace)
        await place.until("shop", sync="Synced", phase="Succeeded")


async def test_what_two_applications_want_is_told_by_both_and_fought_over_by_none_for_long(
    kube: Kube, namespace: str, toolbox: Toolbox
) -> None:
    async with town(kube, namespace, toolbox) as place:
        place.push("shop", config("both", key="1"))
        place.push("other", config("both", key="1"))
        await place.create("shop", namespace, syncPolicy={"automated": {}})
        await place.until("shop", sync="Synced", phase="Succeeded")
        await place.create("other", namespace)
        found = await place.until("other", condition="SharedResourceWarning")
        assert "is part of applications" in found["status"]["conditions"][0]["message"]


async def test_a_namespace_that_goes_and_comes_back_is_filled_again(
    kube: Kube, namespace: str, toolbox: Toolbox
) -> None:
    name = f"{namespace}-back"
    options = {"syncOptions": ["CreateNamespace=true"]}
    async with town(kube, namespace, toolbox) as place:
        try:
            place.push("shop", config("a", key="1"))
            await place.create("shop", name, syncPolicy={**automated(), **options})
            await place.until("shop", sync="Synced", phase="Succeeded")
            await kube.delete(NAMESPACE, name)

            async def back() -> bool:
                found = await kube.find(CONFIG_MAP, "a", name)
                space = await kube.find(NAMESPACE, name)
                return bool(found and space and "deletionTimestamp" not in space["metadata"])

            await eventually("it is filled again", back)
        finally:
            await kube.delete(NAMESPACE, name)
