"""The clusters that Fairway knows: own ones and registered ones."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec import structs

from fairway.access.tokens import Tokens
from fairway.cluster import kubeconfig, registered
from fairway.cluster.clusters import Clusters
from fairway.cluster.known import Kind, Own, State
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from fairway.model.scope import SYSTEM
from fairway.store import audit
from fairway.store.database import Database
from fairway.testing.clusters import HOME, FakeCluster, FakeDial, FakeOwned

VERSION = "GET /version"
AWAY = Target(server="https://away", token=Secret("a"), insecure=True)


def node(ready: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "n"},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.home = FakeCluster(
            {
                VERSION: {"gitVersion": "v1.36.3"},
                "GET /api/v1/nodes": {"items": [node("True"), node("False")]},
            }
        )
        self.away = FakeCluster({VERSION: {"gitVersion": "v1.30.0"}})
        self.owned = FakeOwned()
        self.clusters = Clusters(database, self.owned, FakeDial(home=self.home, away=self.away))

    async def add(self, name: str = "away", target: Target = AWAY, **given: Any) -> Any:
        config = json.dumps(kubeconfig.written("x", target))
        return await self.clusters.add("ada", name, config, given=given)

    def actions(self) -> list[tuple[str, str]]:
        return [(one.action, one.subject) for one in self.database.read_now(audit.listing, SYSTEM)]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_the_first_own_cluster_is_the_home_with_version_and_nodes(world: World) -> None:
    [found] = await world.clusters.all()
    assert (found.name, found.home, found.kind) == ("local", True, Kind.EMBEDDED)
    health = found.health
    assert (health.state, health.version) == (State.READY, "v1.36.3")
    assert (health.nodes, health.nodes_ready) == (2, 1)
    assert world.home.open == 0


async def test_a_registered_one_is_kept_as_a_secret_in_the_home_cluster(world: World) -> None:
    made = await world.add(namespaces=["a"], labels={"env": "prod"})
    assert (made.name, made.kind, made.health.version) == ("away", Kind.REGISTERED, "v1.30.0")
    secrets = [body for path, body in world.home.kept.items() if "/secrets/" in path]
    assert [one["metadata"]["labels"][registered.LABEL] for one in secrets] == ["cluster"]
    assert await world.clusters.target("away") == AWAY
    assert world.actions() == [("cluster.add", "cluster/away")]
    assert {path.rpartition("/")[2] for path in world.away.kept} == {
        "fairway-system",
        "fairway:admins",
    }
    assert (world.home.open, world.away.open) == (0, 0)


async def test_an_unreachable_one_is_shown_with_the_reason_beside_the_others(world: World) -> None:
    world.away.answers[VERSION] = Unavailable("connection refused")
    await world.add(unreachable=True)
    found = {one.name: one.health for one in await world.clusters.all()}
    assert found["local"].state is State.READY
    assert (found["away"].state, found["away"].reason) == (State.UNREACHABLE, "connection refused")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Unauthenticated("bad token"), State.REFUSED),
        (Forbidden("no"), State.REFUSED),
        ("<html>", State.UNUSABLE),
        ({}, State.UNUSABLE),
    ],
)
async def test_what_answers_otherwise_is_no_ready_cluster(
    world: World, answer: Any, state: State
) -> None:
    world.away.answers[VERSION] = answer
    made = await world.add(unreachable=True)
    assert (made.health.state, bool(made.health.reason)) == (state, True)


async def test_one_that_does_not_answer_is_not_registered_by_mistake(world: World) -> None:
    world.away.answers[VERSION] = Unavailable("connection refused")
    with pytest.raises(Unavailable, match="connection refused") as caught:
        await world.add()
    assert "--unreachable" in caught.value.remedy
    assert not [path for path in world.home.kept if "/secrets/" in path]


async def test_one_whose_nodes_we_may_not_see_is_ready(world: World) -> None:
    world.away.answers["GET /api/v1/nodes"] = Forbidden("no")
    made = await world.add()
    assert (made.health.state, made.health.nodes) == (State.READY, 0)


async def test_credentials_that_may_not_speak_for_users_are_told_of(world: World) -> None:
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked: list[str] = []

    def review(body: Any) -> Any:
        asked.append(body["spec"]["resourceAttributes"]["resource"])
        return {"status": {"allowed": asked[-1] != "groups"}}

    world.away.answers[f"POST {reviews}"] = review
    made = await world.add()
    assert made.health.state is State.READY
    assert "may not impersonate groups" in made.health.reason
    world.away.answers[f"POST {reviews}"] = Forbidden("no")
    world.clusters._forget("away")
    assert (await world.clusters.one("away")).health.reason == ""


async def test_names_and_servers_are_known_once(world: World) -> None:
    await world.add()
    with pytest.raises(Conflict, match="there is a cluster away already"):
        await world.add()
    with pytest.raises(Conflict, match="known already, as away"):
        await world.add("other")
    with pytest.raises(Conflict, match="there is a cluster local already"):
        await world.add("local", replace=True)
    with pytest.raises(InvalidInput):
        await world.add("in-cluster")


async def test_replacing_changes_the_credentials(world: World) -> None:
    await world.add()
    changed = structs.replace(AWAY, token=Secret("b"))
    await world.add(target=changed, replace=True)
    assert await world.clusters.target("away") == changed


async def test_a_removed_one_is_gone_and_its_own_cluster_untouched(world: World) -> None:
    await world.add()
    before = dict(world.away.kept)
    await world.clusters.remove("ada", "away")
    assert [one.name for one in await world.clusters.all()] == ["local"]
    with pytest.raises(NotFound, match="there is no cluster 'away'"):
        await world.clusters.target("away")
    assert world.away.kept == before
    assert world.actions()[0] == ("cluster.remove", "cluster/away")


async def test_own_and_foreign_ones_are_not_removed(world: World) -> None:
    foreign = registered.to_secret("argo", AWAY)
    foreign["metadata"]["namespace"] = "argocd"
    world.home.kept["/api/v1/namespaces/argocd/secrets/x"] = foreign
    with pytest.raises(Conflict, match="own cluster"):
        await world.clusters.remove("ada", "local")
    assert [one.name for one in await world.clusters.all()] == ["local", "argo"]
    with pytest.raises(Conflict, match="did not write") as caught:
        await world.clusters.remove("ada", "argo")
    assert "kubectl -n argocd delete secret" in caught.value.remedy


async def test_an_unusable_secret_is_listed_with_its_problem(world: World) -> None:
    broken = registered.to_secret("broken", structs.replace(AWAY, server="https://x"))
    broken["data"]["config"] = "e30xMg=="
    world.home.kept["/api/v1/namespaces/fairway-system/secrets/x"] = broken
    found = await world.clusters.one("broken")
    assert (found.health.state, "config" in found.health.reason) == (State.UNUSABLE, True)
    with pytest.raises(InvalidInput, match="not as Argo CD has it"):
        await world.clusters.target("broken")


async def test_what_was_read_last_counts_while_the_home_does_not_answer(world: World) -> None:
    await world.add()
    for space in registered.NAMESPACES:
        world.home.answers[f"GET /api/v1/namespaces/{space}/secrets"] = Unavailable("gone")
    world.clusters._forget("away")
    assert await world.clusters.target("away") == AWAY


async def test_a_cluster_that_starts_says_what_it_waits_for(world: World) -> None:
    world.owned.clusters = [Own(name="local", kind=Kind.EMBEDDED, reason="the build goes on")]
    [found] = await world.clusters.all()
    assert (found.health.state, found.health.reason) == (State.STARTING, "the build goes on")
    with pytest.raises(Unavailable, match="the build goes on"):
        await world.clusters.target("local")


async def test_without_any_cluster_nothing_can_be_registered(world: World) -> None:
    world.owned.clusters = []
    assert await world.clusters.all() == []
    with pytest.raises(Unavailable, match="there is no cluster here"):
        await world.add()
    with pytest.raises(Unavailable, match="there is no cluster here"):
        await world.clusters.resolve("in-cluster")


async def test_the_home_answers_to_argo_cds_name_too(world: World) -> None:
    assert await world.clusters.resolve("in-cluster") == "local"
    assert await world.clusters.target("in-cluster") is HOME
    with pytest.raises(NotFound):
        await world.clusters.resolve("none")


async def test_embedded_ones_are_made_and_ended_by_their_keeper(world: World) -> None:
    await world.clusters.create("ada", "second")
    assert [one.name for one in world.owned.clusters] == ["local", "second"]
    with pytest.raises(Conflict):
        await world.clusters.create("ada", "local")
    await world.clusters.delete("ada", "second")
    assert [one.name for one in world.owned.clusters] == ["local"]
    assert [action for action, _ in world.actions()] == [
        "cluster.delete-embedded",
        "cluster.create-embedded",
    ]


REGISTRY = "fairway.example.org"


def with_node(cluster: FakeCluster) -> None:
    """One node, whose pods have their images at once."""
    cluster.answers["GET /api/v1/nodes"] = {"items": [node("True")]}
    pods = "/api/v1/namespaces/fairway-system/pods"

    def create(body: Any) -> Any:
        state = {"waiting": {"reason": "RunContainerError"}}
        path = f"{pods}/{body['metadata']['name']}"
        cluster.kept[path] = {**body, "status": {"containerStatuses": [{"state": state}]}}
        return body

    cluster.answers[f"POST {pods}"] = create


async def test_a_registered_clusters_nodes_pull_with_a_secret_for_that_alone(world: World) -> None:
    with_node(world.away)
    await world.add()
    [done] = await world.clusters.load("ada", "away", [f"{REGISTRY}/x@sha256:a"], registry=REGISTRY)
    assert done.loaded
    posted = [body for method, _, body in world.away.asked if method == "POST"]
    [secret] = [one for one in posted if one["kind"] == "Secret"]
    [pod] = [one for one in posted if one["kind"] == "Pod"]
    assert pod["spec"]["imagePullSecrets"] == [{"name": secret["metadata"]["name"]}]
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    value = base64.b64decode(config["auths"][REGISTRY]["auth"]).decode().removeprefix("node:")
    with pytest.raises(Unauthenticated):  # it has ended with the pull
        await Tokens(world.database).verify(Secret(value))
    assert not [path for path in world.away.kept if "/secrets/" in path or "/pods/" in path]
    assert ("cluster.load-image", "cluster/away") in world.actions()


async def test_an_embedded_clusters_nodes_need_no_secret(world: World) -> None:
    with_node(world.home)
    [done] = await world.clusters.load("ada", "local", ["127.0.0.1:1/x:y"], registry="127.0.0.1:1")
    assert done.loaded
    posted = [body for method, _, body in world.home.asked if method == "POST"]
    assert "Secret" not in {one["kind"] for one in posted}


async def test_nodes_elsewhere_cannot_pull_from_a_name_of_loopback(world: World) -> None:
    await world.add()
    with pytest.raises(Unavailable, match="to the nodes of away is themselves"):
        await world.clusters.load("ada", "away", ["127.0.0.1:1/x:y"], registry="127.0.0.1:1")
