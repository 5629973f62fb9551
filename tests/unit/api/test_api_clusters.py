"""Clusters through the API: shown, registered, removed, reached; and who may."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from fairway.cluster import kubeconfig
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable
from fairway.model.token import TokenScope
from fairway.testing.apiworld import ApiWorld
from fairway.testing.clusters import ClusterWorld

API = "/api/v1"
AWAY = Target(server="https://away", token=Secret("a"), insecure=True)


@pytest.fixture
def world(api_world: ApiWorld) -> ClusterWorld:
    return ClusterWorld(api_world)


def body(name: str = "away", **more: Any) -> dict[str, Any]:
    return {"name": name, "kubeconfig": json.dumps(kubeconfig.written("x", AWAY)), **more}


async def test_a_cluster_is_registered_shown_and_removed(
    client: httpx.AsyncClient, world: ClusterWorld
) -> None:
    made = await client.post(f"{API}/clusters", json=body(namespaces=["a"], labels={"env": "x"}))
    assert made.status_code == 201
    found = made.json()
    assert (found["kind"], found["state"], found["version"]) == ("registered", "ready", "v1.36.3")
    assert (found["namespaces"], found["labels"]["env"]) == (["a"], "x")
    assert "token" not in made.text
    items = (await client.get(f"{API}/clusters")).json()["items"]
    assert [(one["name"], one["home"]) for one in items] == [("local", True), ("away", False)]
    assert (await client.delete(f"{API}/clusters/away")).status_code == 204
    assert (await client.get(f"{API}/clusters/away")).status_code == 404


async def test_the_reason_of_an_unreachable_one_is_told(
    client: httpx.AsyncClient, world: ClusterWorld
) -> None:
    world.away.answers["GET /version"] = Unavailable("connection refused")
    refused = await client.post(f"{API}/clusters", json=body())
    assert (refused.status_code, refused.json()["type"]) == (503, "cluster-unavailable")
    made = await client.post(f"{API}/clusters", json=body(unreachable=True))
    assert (made.json()["state"], made.json()["reason"]) == ("unreachable", "connection refused")


async def test_access_names_the_door_and_the_clusters_own_name(
    client: httpx.AsyncClient, world: ClusterWorld
) -> None:
    found = (await client.get(f"{API}/clusters/in-cluster/access")).json()
    assert found == {
        "name": "local",
        "server": "https://127.0.0.1:16443/clusters/local",
        "ca": "PEM",
    }
    assert (await client.get(f"{API}/clusters/none/access")).status_code == 404


async def test_a_further_embedded_one_comes_and_goes(
    client: httpx.AsyncClient, world: ClusterWorld
) -> None:
    made = await client.post(f"{API}/clusters/second/embedded")
    assert (made.status_code, made.json()["state"], made.json()["reason"]) == (
        201, "starting", "it starts",
    )  # fmt: skip
    assert (await client.delete(f"{API}/clusters/second/embedded")).status_code == 204
    assert (await client.get(f"{API}/clusters/second")).status_code == 404


async def test_an_image_that_is_not_there_is_loaded_nowhere(
    client: httpx.AsyncClient, world: ClusterWorld
) -> None:
    for word in ("sha256:" + "a" * 64, "tide/app:none", "127.0.0.1:8480/tide/app"):
        answer = await client.post(f"{API}/clusters/local/images", json={"image": word})
        assert (answer.status_code, answer.json()["type"]) == (404, "no-image")
    answer = await client.post(f"{API}/clusters/local/images", json={"image": "ghcr.io/x/y:z"})
    assert (answer.status_code, answer.json()["type"]) == (422, "foreign-image")
    assert [one for one in world.home.asked if one[0] == "POST"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/clusters"),
        ("DELETE", "/clusters/local"),
        ("POST", "/clusters/x/embedded"),
        ("DELETE", "/clusters/local/embedded"),
        ("POST", "/clusters/local/images"),
        ("POST", "/clusters/local/reach"),
    ],
)
async def test_only_admins_change_clusters(
    client: httpx.AsyncClient, api_world: ApiWorld, world: ClusterWorld, *, method: str, path: str
) -> None:
    data = {"image": "x"} if path.endswith("images") else body() if path == "/clusters" else None
    theirs = {"Authorization": f"Bearer {api_world.token('max')}"}
    answer = await client.request(method, API + path, json=data, headers=theirs)
    assert (answer.status_code, answer.json()["type"]) == (403, "not-admin")


async def test_looking_needs_a_token_for_clusters(
    client: httpx.AsyncClient, api_world: ApiWorld, world: ClusterWorld
) -> None:
    nobody = await client.get(f"{API}/clusters", headers={"Authorization": ""})
    assert nobody.status_code == 401
    for scope, code in ((TokenScope.CLUSTER_READ, 200), (TokenScope.REGISTRY_PULL, 403)):
        theirs = {"Authorization": f"Bearer {api_world.token('wim', scope)}"}
        assert (await client.get(f"{API}/clusters", headers=theirs)).status_code == code
