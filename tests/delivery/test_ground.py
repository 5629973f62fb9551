"""The ground itself: a Deployment becomes available, a Job ends, and annotations are honoured."""

from __future__ import annotations

from fairway.kube import Json, Kube
from fairway.kube.kind import DEPLOYMENT, ENDPOINT_SLICE, JOB, SERVICE
from fairway.kube.page import Selection
from fairway.testing.waiting import eventually

CONTAINER = {"name": "main", "image": "example.org/app:1"}


def deployment(name: str, notes: dict[str, str] | None = None) -> Json:
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": notes or {}},
                "spec": {"containers": [CONTAINER]},
            },
        },
    }


def placed(obj: Json, namespace: str) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


async def test_a_deployment_becomes_available_and_its_service_has_endpoints(
    kube: Kube, namespace: str
) -> None:
    await kube.create(DEPLOYMENT, placed(deployment("web"), namespace))
    service = {
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    await kube.create(SERVICE, service)

    async def ready() -> bool:
        slices = await kube.list(ENDPOINT_SLICE, Selection(namespace=namespace))
        found = [one for each in slices for one in each.get("endpoints") or ()]
        return len([one for one in found if one["conditions"]["ready"]]) == 2

    await eventually("two endpoints that are ready", ready)

    async def available() -> bool:  # another controller writes it down
        status = (await kube.get(DEPLOYMENT, "web", namespace)).get("status") or {}
        return bool(status.get("availableReplicas") == 2)

    await eventually("two available replicas", available)


async def test_a_pod_that_shall_never_be_ready_is_not(kube: Kube, namespace: str) -> None:
    notes = {"fake.fairway.dev/ready-after": "never"}
    await kube.create(DEPLOYMENT, placed(deployment("slow", notes), namespace))

    async def running() -> bool:
        found = (await kube.get(DEPLOYMENT, "slow", namespace)).get("status") or {}
        return bool(found.get("unavailableReplicas") == 2)

    await eventually("two pods that are not available", running)


async def test_a_job_ends_as_its_annotation_says(kube: Kube, namespace: str) -> None:
    for name, code in (("good", "0"), ("bad", "3")):
        pod = {
            "metadata": {"annotations": {"fake.fairway.dev/exit-code": code}},
            "spec": {"restartPolicy": "Never", "containers": [CONTAINER]},
        }
        body = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": pod}}
        await kube.create(JOB, placed(body, namespace))

    async def ended(name: str, type_: str) -> bool:
        found = (await kube.get(JOB, name, namespace)).get("status") or {}
        return any(one["type"] == type_ for one in found.get("conditions") or ())

    await eventually("a job that succeeded", lambda: ended("good", "Complete"))
    await eventually("a job that failed", lambda: ended("bad", "Failed"))
