"""Asking for a sync of an Application whose controller writes to it meanwhile."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fairway.api import apps
from fairway.client.wire.app import AppSync
from fairway.cluster.known import Client
from fairway.kube.errors import KubeConflict
from fairway.model.errors import Conflict

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop"


def application(version: int, **more: Any) -> dict[str, Any]:
    meta = {"name": "shop", "namespace": "argocd", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}, **more}


class Cluster:
    """Has written to the Application `ahead` times whenever somebody looks away."""

    def __init__(self, ahead: int, **more: Any) -> None:
        self.version, self.ahead, self.more = 1, ahead, more
        self.patched: list[dict[str, Any]] = []

    async def request(self, method: str, path: str, body: Any = None, **_how: Any) -> Any:
        assert path == PATH
        if method == "GET":
            return application(self.version, **self.more)
        if self.ahead:
            self.ahead -= 1
            self.version += 1
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise KubeConflict("the object has been modified")
        self.patched.append(body)
        return application(self.version + 1, operation=body["operation"])


async def begin(cluster: Cluster) -> dict[str, Any]:
    client = cast("Client", cluster)
    return await apps.begin(client, PATH, application(1), AppSync(), login="ada")


async def test_who_comes_in_between_is_read_again() -> None:
    cluster = Cluster(ahead=3)
    answer = await begin(cluster)
    assert answer["operation"]["initiatedBy"] == {"username": "ada"}
    assert [one["metadata"]["resourceVersion"] for one in cluster.patched] == ["4"]


async def test_an_operation_that_began_in_between_is_told_of() -> None:
    with pytest.raises(Conflict) as caught:
        await begin(Cluster(ahead=1, operation={"sync": {}}))
    assert caught.value.code == "operation-in-progress"


async def test_who_never_gets_a_word_in_says_so() -> None:
    with pytest.raises(KubeConflict):
        await begin(Cluster(ahead=1000))
