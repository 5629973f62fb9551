"""What changes something: who may, what is refused, and that it is written down."""

import asyncio
from typing import Any

import httpx
import pytest

from fairway.api.app import api_app
from fairway.model.status import Status
from fairway.model.token import TokenScope
from fairway.testing.apiworld import URL, ApiWorld

FILE = """\
kind: pipeline
type: docker
name: default
clone: {disable: true}
steps:
  - {name: one, image: busybox, commands: [echo one]}
"""
APP = "/api/v1/repos/tide/app"


@pytest.fixture
def pushed(api_world: ApiWorld) -> str:
    repository = api_world.people.ids["tide/app"]
    return api_world.sources.push(repository, "refs/heads/main", FILE)


def bearer(world: ApiWorld, login: str, *scopes: TokenScope) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.token(login, *scopes)}"}


async def test_the_same_idempotency_key_makes_one_build(
    client: httpx.AsyncClient, pushed: str
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    body = {"event": "custom", "params": {"A": "b"}}
    answers = []
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.post(f"{APP}/builds", json=body, headers=headers))
            for _ in range(4)
        ]
    answers = [task.result() for task in tasks]
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["number"] for answer in answers} == {3}
    other = await client.post(f"{APP}/builds", json={"event": "custom"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "idempotency-key-used")
    again = await client.post(f"{APP}/builds", json=body)
    assert again.json()["number"] == 4
    assert again.json()["params"] == {"A": "b"}


async def test_a_build_is_promoted_rolled_back_and_retried(
    client: httpx.AsyncClient, pushed: str
) -> None:
    for event in ("promote", "rollback"):
        body = {"event": event, "build": 1, "target": "production"}
        made = await client.post(f"{APP}/builds", json=body)
        assert made.status_code in {201, 409}, made.text  # a file without such an event
    made = await client.post(f"{APP}/builds", json={})
    number = made.json()["number"]
    early = await client.post(f"{APP}/builds/{number}/retry", json={})
    assert (early.status_code, early.json()["type"]) == (409, "build-not-finished")
    done = await client.post(f"{APP}/builds/{number}/cancel", json={"reason": "a slip"})
    assert done.json()["status"] == "cancelled"
    assert done.json()["reason"] == "cancelled by ada: a slip"
    again = await client.post(f"{APP}/builds/{number}/retry", json={})
    assert again.status_code == 201, again.text
    assert again.json()["parent"] == number


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"event": "push"}, "body.event"),
        ({"brunch": "x"}, "body"),
        ({"event": "promote"}, "body.build"),
        ({"event": "promote", "build": 1}, "body.target"),
        ({"event": "custom", "target": "x"}, "body.target"),
        ({"params": {"a": 1}}, "body.params"),
        ({"params": [1]}, "body.params"),
        ([], "body"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_path(
    client: httpx.AsyncClient, body: Any, where: str
) -> None:
    answer = await client.post(f"{APP}/builds", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["where"].startswith(where)


async def test_what_is_no_json_or_too_large_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    for content, status in ((b"{", 400), (b'"\xff"', 400), (b" " * (2 << 20), 413)):
        answer = await client.post(f"{APP}/builds", content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


RIGHTS = [
    # login, method, path, body, status
    ("rea", "POST", f"{APP}/builds", {}, 403),
    ("wim", "POST", f"{APP}/builds", {}, 201),
    ("non", "POST", f"{APP}/builds", {}, 404),
    ("wim", "POST", f"{APP}/builds/2/approve", None, 403),
    ("max", "POST", f"{APP}/builds/2/approve", None, 409),
    ("wim", "PUT", f"{APP}/secrets/s", {"value": "v"}, 403),
    ("max", "PUT", f"{APP}/secrets/s", {"value": "v"}, 200),
    ("rea", "GET", f"{APP}/secrets", None, 403),
    ("max", "PATCH", APP, {"timeout_s": 60}, 200),
    ("max", "PATCH", APP, {"trusted": True}, 403),
    ("ada", "PATCH", APP, {"trusted": True}, 200),
    ("max", "DELETE", APP, None, 403),
    ("max", "GET", "/api/v1/audit", None, 403),
    ("max", "PUT", "/api/v1/system/pause", {"paused": True}, 403),
    ("max", "POST", "/api/v1/users", {"login": "new"}, 403),
    ("max", "PUT", "/api/v1/secrets/s", {"value": "v"}, 403),
    ("max", "PUT", "/api/v1/orgs/tide/secrets/s", {"value": "v"}, 200),
    ("max", "PUT", "/api/v1/orgs/reef/secrets/s", {"value": "v"}, 403),
    ("max", "POST", "/api/v1/runners/alice/pause", None, 403),
    ("wim", "POST", "/api/v1/repos", {"repository": "tide/new"}, 201),
    ("non", "POST", "/api/v1/repos", {"repository": "tide/new"}, 403),
]


@pytest.mark.parametrize(("login", "method", "path", "body", "status"), RIGHTS)
async def test_who_may_do_what(
    *,
    client: httpx.AsyncClient,
    api_world: ApiWorld,
    pushed: str,
    login: str,
    method: str,
    path: str,
    body: Any,
    status: int,
) -> None:
    answer = await client.request(method, path, json=body, headers=bearer(api_world, login))
    assert answer.status_code == status, answer.text
    nobody = await client.request(method, path, json=body, headers={"Authorization": ""})
    assert nobody.status_code == 401, nobody.text


async def test_a_token_does_only_what_it_was_made_for(
    client: httpx.AsyncClient, api_world: ApiWorld, pushed: str
) -> None:
    reading = bearer(api_world, "ada", TokenScope.BUILD_READ)
    assert (await client.get(f"{APP}/builds/1", headers=reading)).status_code == 200
    for method, path in (
        ("POST", f"{APP}/builds"),
        ("POST", "/api/v1/tokens"),
        ("GET", "/api/v1/audit"),
        ("GET", "/api/v1/repos"),
    ):
        answer = await client.request(
            method, path, json={"name": "x", "scopes": ["admin"]} if "tok" in path else {},
            headers=reading,
        )  # fmt: skip
        assert answer.status_code == 403, (path, answer.text)


async def test_a_secret_goes_in_and_never_comes_out(
    client: httpx.AsyncClient, api_world: ApiWorld
) -> None:
    body = {"value": "hunter-2-hunter", "events": ["push"], "branches": ["main"]}
    made = await client.put(f"{APP}/secrets/Token", json=body)
    assert made.status_code == 200, made.text
    listed = await client.get(f"{APP}/secrets")
    assert [one["name"] for one in listed.json()["items"]] == ["token"]
    assert listed.json()["items"][0]["branches"] == ["main"]
    audit = await client.get("/api/v1/audit")
    assert audit.json()["items"][0]["action"] == "secret.put"
    for answer in (made, listed, audit):
        assert "hunter" not in answer.text
    assert (await client.delete(f"{APP}/secrets/token")).status_code == 204
    gone = await client.delete(f"{APP}/secrets/token")
    assert (gone.status_code, gone.json()["type"]) == (404, "secret-not-found")


async def test_a_new_token_is_shown_once_works_and_can_be_revoked(
    client: httpx.AsyncClient,
) -> None:
    body = {"name": "ci", "scopes": ["build:read"], "expires_s": 3600}
    made = (await client.post("/api/v1/tokens", json=body)).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await client.get("/api/v1/builds", headers=headers)).status_code == 200
    listed = await client.get("/api/v1/tokens")
    assert made["token"] not in listed.text
    assert (await client.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
    assert (await client.get("/api/v1/builds", headers=headers)).status_code == 401
    bad = await client.post("/api/v1/tokens", json={"name": "x", "scopes": ["all"]})
    assert bad.json()["type"] == "bad-scope"


async def test_settings_of_a_repository_are_checked_with_their_path(
    client: httpx.AsyncClient,
) -> None:
    good = await client.patch(APP, json={"settings": {"auto_cancel_pushes": True}})
    assert good.json()["settings"]["auto_cancel_pushes"] is True
    for body, where in (
        ({"settings": {"auto_cancel": True}}, "body.settings"),
        ({"settings": {"poll_s": "often"}}, "body.settings.poll_s"),
        ({"visibility": "secret"}, "body.visibility"),
        ({"remote_user": "x"}, "body.remote_url"),
    ):
        answer = await client.patch(APP, json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["where"] == where


async def test_a_pause_is_told_by_everything_that_waits(
    client: httpx.AsyncClient, pushed: str
) -> None:
    pause = await client.put("/api/v1/system/pause", json={"paused": True, "reason": "a move"})
    assert pause.status_code == 200
    await client.post(f"{APP}/builds", json={})
    queue = (await client.get("/api/v1/queue")).json()["items"]
    assert "paused by ada: a move" in queue[-1]["reason"]
    assert (await client.get("/api/v1/system")).json()["paused"] is True
    await client.put("/api/v1/system/pause", json={"paused": False})
    assert (await client.get("/api/v1/system")).json()["paused"] is False


async def test_events_are_listed_newest_first_and_only_to_who_may_see_them(
    client: httpx.AsyncClient, api_world: ApiWorld
) -> None:
    api_world.finish(2, Status.PASSED)
    found = (await client.get("/api/v1/events/recent")).json()["items"]
    assert found[0]["kind"] == "build-finished"
    headers = bearer(api_world, "non")
    hidden = (await client.get("/api/v1/events/recent", headers=headers)).json()
    assert hidden["items"] == []
    bad = await client.get("/api/v1/events/recent", params={"kinds": "build-finished,x"})
    assert bad.json()["type"] == "bad-kind"


async def test_health_and_metrics_answer_without_a_token(
    api_world: ApiWorld,
) -> None:
    transport = httpx.ASGITransport(app=api_app(api_world.services))  # its counts begin at zero
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        await look_at_health(client)


async def look_at_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    page = (await client.get("/metrics")).text
    assert 'fairway_builds{status="running"} 1.0' in page
    assert 'fairway_http_requests_total{method="GET",part="other",status="2xx"} 2.0' in page
    assert "tide" not in page


async def test_a_filter_that_we_do_not_know_is_refused_not_ignored(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/builds", params={"state": "failed"})
    assert answer.status_code == 422
    assert (answer.json()["type"], answer.json()["where"]) == ("bad-request", "query.state")


def test_no_field_of_a_body_is_named_as_a_dependency() -> None:
    from fairway.api.services import dependencies
    from fairway.client.wire import build, common, repository, system, who

    names = set(dependencies(None))  # type: ignore[arg-type]  # only the names are looked at
    for module in (build, common, repository, system, who):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, common.Request):
                assert not names & set(one.__struct_fields__), one
