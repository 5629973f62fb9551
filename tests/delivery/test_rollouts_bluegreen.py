"""Blue/green on a real API server: preview, switch, the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from rolloutground import Ground, ground

from fairway.kube import Json, Kube
from fairway.rollout.analysis.crds import ANALYSIS_RUN, ANALYSIS_TEMPLATE
from fairway.rollout.objects import HASH
from fairway.testing.waiting import eventually


@pytest.fixture
async def web(kube: Kube, namespace: str) -> AsyncIterator[Ground]:
    async with ground(kube, namespace) as made:
        await made.services("active", "preview")
        yield made


def blue_green(**more: Any) -> Json:
    return {"blueGreen": {"activeService": "active", "previewService": "preview", **more}}


async def test_a_version_is_previewed_promoted_by_hand_and_the_old_one_goes_later(
    web: Ground,
) -> None:
    await web.create(blue_green(autoPromotionEnabled=False, scaleDownDelaySeconds=3600))
    first = await web.phase("Healthy")
    old = first["status"]["stableRS"]
    assert await web.selects("active") == old
    await web.image("2")
    paused = await web.phase("Paused")
    assert paused["status"]["message"] == "BlueGreenPause"
    new = paused["status"]["currentPodHash"]
    assert (await web.selects("active"), await web.selects("preview")) == (old, new)
    assert await web.pods() == {1: 2, 2: 2}
    await web.promote()
    done = await web.phase("Healthy")
    assert done["status"]["blueGreen"] == {"activeSelector": new, "previewSelector": new}
    assert f"{HASH}={new}" in done["status"]["selector"]
    assert await web.pods() == {1: 2, 2: 2}

    await web.patch({"spec": {"strategy": {"blueGreen": {"scaleDownDelaySeconds": 1}}}})
    await web.image("3")
    await web.phase("Paused")
    await web.promote()

    async def gone() -> bool:
        return (await web.pods())[2] == 0

    await eventually("the version of a short delay scaled down after it", gone)


async def test_without_a_pause_the_switch_waits_for_all_pods_alone(web: Ground) -> None:
    await web.create(blue_green(scaleDownDelaySeconds=3600))
    await web.phase("Healthy")
    await web.image("2")
    done = await web.phase("Healthy")
    assert done["status"]["stableRS"] == await web.selects("active")
    expected = [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "SwitchService",
        "ScalingReplicaSet",
        "RolloutCompleted",
        "SwitchService",
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "SwitchService",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "SwitchService",
        "RolloutCompleted",
    ]
    await web.told(expected)


async def test_seconds_promote_by_themselves_and_an_abort_takes_the_preview_away(
    web: Ground,
) -> None:
    await web.create(blue_green(autoPromotionSeconds=1, abortScaleDownDelaySeconds=1))
    first = await web.phase("Healthy")
    await web.image("2")
    done = await web.phase("Healthy")
    assert done["status"]["stableRS"] != first["status"]["stableRS"]
    await web.patch({"spec": {"strategy": {"blueGreen": {"autoPromotionSeconds": 600}}}})
    await web.image("3")
    await web.phase("Paused")
    await web.abort()
    await web.phase("Degraded")

    async def gone() -> bool:
        return (await web.pods())[3] == 0

    await eventually("the aborted version scaled down", gone)
    assert await web.selects("active") == done["status"]["stableRS"]


async def test_a_failed_analysis_after_the_switch_brings_the_old_version_back(
    web: Ground,
) -> None:
    template = {
        "metadata": {"name": "smoke", "namespace": web.namespace},
        "spec": {
            "metrics": [
                {"name": "ok", "provider": {"web": {"url": "http://x", "jsonPath": "{$.a}"}}}
            ]
        },
    }
    await web.kube.create(ANALYSIS_TEMPLATE, template)
    analysis = {"templates": [{"templateName": "smoke"}]}
    await web.create(blue_green(postPromotionAnalysis=analysis))
    first = await web.phase("Healthy")
    await web.image("2")
    waiting = await web.until(
        "an analysis", lambda one: one["status"].get("blueGreen", {}).get(_POST)
    )
    name = waiting["status"]["blueGreen"][_POST]["name"]
    assert name == f"web-{waiting['status']['currentPodHash']}-2-post"
    assert await web.selects("active") == waiting["status"]["currentPodHash"]
    verdict = {"status": {"phase": "Failed", "message": "it is slow"}}
    await web.kube.patch(ANALYSIS_RUN, name, web.namespace, body=verdict)
    refused = await web.phase("Degraded")
    assert refused["status"]["message"] == (
        "RolloutAborted: Rollout aborted update to revision 2: "
        "Blue/green post-promotion analysis phase error/failed: it is slow"
    )

    async def back() -> bool:
        return await web.selects("active") == first["status"]["stableRS"]

    await eventually("the old version active again", back)


_POST = "postPromotionAnalysisRunStatus"
