"""Roles: given and taken through the API, and told in the audit."""

from __future__ import annotations

import httpx
import pytest

from fairway.testing.apiworld import ApiWorld

API = "/api/v1"


async def test_a_role_opens_a_repository_and_its_end_closes_it(
    client: httpx.AsyncClient, api_world: ApiWorld
) -> None:
    path = f"{API}/repos/tide/app/roles/non"
    theirs = {"Authorization": f"Bearer {api_world.token('non')}"}
    assert (await client.get(f"{API}/repos/tide/app", headers=theirs)).status_code == 404
    given = await client.put(path, json={"role": "reader"})
    assert (given.status_code, given.json()["role"]) == (200, "reader")
    assert (await client.get(f"{API}/repos/tide/app", headers=theirs)).status_code == 200
    listed = (await client.get(f"{API}/repos/tide/app/roles")).json()["items"]
    assert {(one["login"], one["role"]) for one in listed} >= {("non", "reader")}
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(f"{API}/repos/tide/app", headers=theirs)).status_code == 404
    assert (await client.delete(path)).status_code == 404
    audit = (await client.get(f"{API}/audit")).json()["items"]
    assert [(one["actor"], one["action"], one["before"], one["after"]) for one in audit[:2]] == [
        ("ada", "role.revoke", "reader", None),
        ("ada", "role.grant", None, "reader"),
    ]


@pytest.mark.parametrize("place", ["orgs/tide", "repos/tide/app"])
@pytest.mark.parametrize("login", ["rea", "wim", "max"])
async def test_only_admins_give_roles(
    client: httpx.AsyncClient, api_world: ApiWorld, place: str, login: str
) -> None:
    theirs = {"Authorization": f"Bearer {api_world.token(login)}"}
    path = f"{API}/{place}/roles/{login}"
    answer = await client.put(path, json={"role": "admin"}, headers=theirs)
    assert answer.status_code == 403
    assert (await client.get(f"{API}/{place}/roles", headers=theirs)).status_code == 403


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("orgs/tide/roles/wim", "captain", 422),
        ("orgs/tide/roles/nobody-here", "reader", 404),
        ("orgs/none/roles/wim", "reader", 404),
        ("repos/tide/none/roles/wim", "reader", 404),
    ],
)
async def test_what_cannot_be_given_is_refused(
    client: httpx.AsyncClient, path: str, role: str, status: int
) -> None:
    answer = await client.put(f"{API}/{path}", json={"role": role})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
