"""The simulated API refuses pods as the policies of environments say."""

from __future__ import annotations

import pytest

from fairway.kube import Actor, Kube
from fairway.kube.errors import KubeForbidden
from fairway.kube.kind import POD, Json
from fairway.kube.subset import BINDING, POLICY
from fairway.release.admission import policy
from fairway.testing.simkube import SimApi, SimTransport

OWN = "127.0.0.1:8480/production/"


def pod(image: str) -> Json:
    meta = {"name": "by-hand", "namespace": "default"}
    return {"metadata": meta, "spec": {"containers": [{"name": "main", "image": image}]}}


@pytest.fixture
def kube() -> Kube:
    return Kube(SimTransport(SimApi()), Actor(manager="somebody"))


async def guard(kube: Kube, *namespaces: str) -> None:
    for kind, obj in zip((POLICY, BINDING), policy("own", namespaces, OWN), strict=True):
        await kube.apply(kind, obj, force=True)


async def test_a_pod_with_an_image_of_elsewhere_is_refused_where_only_own_ones_may_run(
    kube: Kube,
) -> None:
    await guard(kube, "default")
    with pytest.raises(KubeForbidden, match="only images that were promoted run here"):
        await kube.create(POD, pod("elsewhere.invalid/tool"))
    await kube.create(POD, pod(f"{OWN}acme/web"))


async def test_other_namespaces_are_not_guarded(kube: Kube) -> None:
    await guard(kube, "kube-system")
    await kube.create(POD, pod("elsewhere.invalid/tool"))


async def test_a_pod_older_than_the_policy_keeps_its_image_and_gets_no_other(kube: Kube) -> None:
    await kube.create(POD, pod("elsewhere.invalid/tool"))
    await guard(kube, "default")
    label: Json = {"metadata": {"labels": {"kept": "yes"}}}
    await kube.patch(POD, "by-hand", "default", body=label)
    containers = [{"name": "main", "image": "elsewhere.invalid/other"}]
    with pytest.raises(KubeForbidden, match="only images that were promoted run here"):
        await kube.patch(POD, "by-hand", "default", body={"spec": {"containers": containers}})
