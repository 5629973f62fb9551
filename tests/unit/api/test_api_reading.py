"""Lists and details, who may see them, and what is told when something is wrong."""

import httpx
import pytest

from fairway.testing.apiworld import ApiWorld


async def test_repositories_are_listed_by_name_with_their_last_build(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/repos")
    assert answer.status_code == 200
    found = {one["slug"]: (one["last_build"], one["last_status"]) for one in answer.json()["items"]}
    assert found == {
        "reef/app": (0, ""),
        "tide/app": (2, "running"),
        "tide/lib": (0, ""),
        "tide/site": (0, ""),
    }


async def test_pages_follow_each_other_by_cursor(client: httpx.AsyncClient) -> None:
    seen, cursor = [], ""
    while True:
        params = {"limit": 3, "cursor": cursor}
        page = (await client.get("/api/v1/repos", params=params)).json()
        seen += [one["slug"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["reef/app", "tide/app", "tide/lib", "tide/site"]


async def test_builds_come_newest_first_and_can_be_filtered(client: httpx.AsyncClient) -> None:
    async def numbers(**params: str) -> list[int]:
        answer = await client.get("/api/v1/builds", params=params)
        assert answer.status_code == 200, answer.text
        return [one["number"] for one in answer.json()["items"]]

    assert await numbers() == [2, 1]
    assert await numbers(status="failed,errored") == [1]
    assert await numbers(repository="tide/app", branch="main") == [2, 1]
    assert await numbers(repository="tide/app", branch="other") == []
    assert await numbers(commit="a" * 40) == [1]


async def test_a_build_shows_its_steps_and_why_they_wait(client: httpx.AsyncClient) -> None:
    build = (await client.get("/api/v1/repos/tide/app/builds/2")).json()
    steps = build["stages"][0]["steps"]
    assert [(one["name"], one["status"]) for one in steps] == [
        ("clone", "passed"),
        ("test", "running"),
        ("image", "pending"),
    ]
    assert steps[2]["reason"] == "waits for test"
    assert build["branch"] == "main"
    assert build["created"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/repos/tide/none", 404, "no-repository"),
        ("/api/v1/repos/tide/app/builds/9", 404, "build-not-found"),
        ("/api/v1/repos/tide/app/builds/x", 404, "not-found"),
        ("/api/v1/nothing", 404, "not-found"),
        ("/api/v1/repos?limit=1000", 422, "bad-request"),
        ("/api/v1/repos?cursor=%C3%A9", 422, "bad-cursor"),
        ("/api/v1/builds?cursor=AAAA", 422, "bad-cursor"),
        ("/api/v1/builds?status=green", 422, "bad-status"),
    ],
)
async def test_what_is_wrong_is_a_problem_with_a_code(
    client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == code
    assert problem["status"] == status
    assert problem["instance"] == path.partition("?")[0]
    assert problem["detail"]


async def test_nobody_is_told_to_sign_in_and_a_bad_token_is_refused(
    client: httpx.AsyncClient, api_world: ApiWorld
) -> None:
    for header, code in (
        ("", "no-token"),
        ("Bearer nonsense", "bad-token"),
        ("X", "bad-authorization"),
    ):
        answer = await client.get("/api/v1/repos/tide/app", headers={"Authorization": header})
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"] == code
        assert "Bearer" in answer.headers["www-authenticate"]


async def test_a_stranger_cannot_tell_a_private_repository_from_none(
    client: httpx.AsyncClient, api_world: ApiWorld
) -> None:
    headers = {"Authorization": f"Bearer {api_world.token('non')}"}
    for slug in ("tide/app", "tide/none"):
        answer = await client.get(f"/api/v1/repos/{slug}", headers=headers)
        assert answer.status_code == 404
        assert answer.json()["type"] == "no-repository"
    listed = (await client.get("/api/v1/repos", headers=headers)).json()["items"]
    assert [one["slug"] for one in listed] == ["tide/lib", "tide/site"]


async def test_the_description_of_the_api_is_served_and_answers_are_hardened(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert "/api/v1/repos/{org}/{name}/builds/{number}" in answer.json()["paths"]
    answer = await client.get("/api/v1/repos")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
