"""Who passes to which cluster, as whom, and what the audit says."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.proxy.gate import Gate, groups_of
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import Forbidden, NotFound, Unauthenticated
from fairway.model.scope import SYSTEM
from fairway.model.token import TokenScope
from fairway.store import audit
from fairway.store.database import Database
from fairway.testing.people import People

TARGET = Target(server="https://10.0.0.1:6443/k8s", token=Secret("ours"))


class Targets:
    async def resolve(self, name: str) -> str:
        if name not in {"local", "in-cluster"}:
            raise NotFound("no", code="no-cluster")
        return "local"

    async def target(self, name: str) -> Target:
        assert name == "local"
        return TARGET


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


@pytest.fixture
def gate(people: People) -> Gate:
    return Gate(people.database, people.tokens, Targets())


async def token(people: People, login: str, *scopes: TokenScope) -> list[tuple[bytes, bytes]]:
    made = await people.tokens.mint(
        people.ids[login], name="t", scopes=scopes or [TokenScope.ADMIN], actor="ada"
    )
    return [(b"Authorization", b"Bearer " + made.value.reveal().encode())]


async def test_a_request_goes_on_as_its_user_with_our_credentials(
    people: People, gate: Gate
) -> None:
    given = [*await token(people, "max"), (b"Accept", b"x")]
    found = await gate.admit("GET", "/clusters/local/api/v1/pods?limit=5", given, upgrades=False)
    assert (found.path, found.actor, found.cluster) == ("/k8s/api/v1/pods?limit=5", "max", "local")
    assert found.headers == [
        (b"Host", b"10.0.0.1:6443"),
        (b"Accept", b"x"),
        (b"Impersonate-User", b"fairway:max"),
        (b"Impersonate-Group", b"fairway:users"),
        (b"Impersonate-Group", b"fairway:tide:reader"),
        (b"Impersonate-Group", b"fairway:tide:writer"),
        (b"Impersonate-Group", b"fairway:tide:maintainer"),
        (b"Authorization", b"Bearer ours"),
    ]


async def test_what_a_query_holds_is_not_looked_at(people: People, gate: Gate) -> None:
    given = await token(people, "ada")
    path = "/clusters/in-cluster/api/v1/namespaces/w/pods/p/exec?command=cat&command=..%2Fx"
    found = await gate.admit("GET", path, given, upgrades=True)
    assert found.cluster == "local"
    assert found.path.endswith("exec?command=cat&command=..%2Fx")


async def test_an_admin_is_one_of_fairways_admins_there_as_well(people: People) -> None:
    who = await people.identity("ada", TokenScope.CLUSTER_WRITE)
    found = await people.database.read(groups_of, who)
    assert found == ["fairway:users", "fairway:admins"]


async def test_a_build_is_no_user_but_its_repositorys_build(people: People) -> None:
    who = await people.build_identity("tide/app")
    found = await people.database.read(groups_of, who)
    assert found == ["fairway:builds", "fairway:builds:tide/app"]


@pytest.mark.parametrize("scopes", [(), (TokenScope.CLUSTER_READ,)])
async def test_a_token_for_looking_changes_nothing(
    people: People, gate: Gate, scopes: tuple[TokenScope, ...]
) -> None:
    given = await token(people, "wim", *scopes)
    await gate.admit("GET", "/clusters/local/api", given, upgrades=False)
    if scopes:
        with pytest.raises(Forbidden, match="cluster:write"):
            await gate.admit("POST", "/clusters/local/api/v1/pods", given, upgrades=False)


async def test_nobody_gets_no_further(gate: Gate) -> None:
    with pytest.raises(Unauthenticated):
        await gate.admit("GET", "/clusters/local/api", [], upgrades=False)


@pytest.mark.parametrize(
    "path",
    ["/", "/clusters", "/clusters/", "/clusters//api", "/clusters/none/api", "/api/v1/pods",
     "/clusters/local/../x", "/clusters/local/api/v1%2f..", "/clusters/local/%2E%2e/x", "http://elsewhere/clusters/local/"],
)  # fmt: skip
async def test_there_is_nothing_beside_clusters(people: People, gate: Gate, path: str) -> None:
    given = await token(people, "ada")
    with pytest.raises(NotFound):
        await gate.admit("GET", path, given, upgrades=False)


def entries(people: People) -> list[tuple[str, str, str, Any]]:
    found = people.database.read_now(audit.listing, SYSTEM)
    return [
        (one.actor, one.action, one.subject, one.after)
        for one in reversed(found)
        if one.action.startswith("cluster.")
    ]


async def test_a_change_is_written_down_before_and_its_refusal_after(
    people: People, gate: Gate
) -> None:
    given = [*await token(people, "ada"), (b"Impersonate-User", b"jane")]
    path = "/clusters/local/apis/apps/v1/namespaces/web/deployments"
    found = await gate.admit("POST", path, given, upgrades=False)
    body = b'{"metadata": {"name": "a"}, "spec": {"secret": "s3cr3t"}}'
    await gate.note(found, body)
    await gate.note_failure(found, body, 409)
    await gate.note_failure(found, body, 0)
    subject = "cluster/local/web/deployments.apps/a"
    assert entries(people) == [
        ("ada", "cluster.create", subject, {"as": "jane"}),
        ("ada", "cluster.refused", subject, {"verb": "create", "status": 409}),
        ("ada", "cluster.refused", subject, {"verb": "create", "status": "no answer"}),
    ]
