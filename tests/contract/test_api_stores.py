"""Every list and detail of the API over each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from delivery_records import release
from sqlalchemy import Connection

from fairway.api.app import api_app
from fairway.model.events import ApplicationChanged, PromotionChanged, ReleaseCreated
from fairway.store import outbox, releases
from fairway.store.database import Database
from fairway.testing.apiworld import URL, ApiWorld

READS = (
    "/metrics", "/readyz", "/api/v1/me", "/api/v1/system", "/api/v1/components", "/api/v1/repos",
    "/api/v1/repos/tide/app", "/api/v1/builds?status=failed,running&limit=1",
    "/api/v1/repos/tide/app/builds/1", "/api/v1/repos/tide/app/builds/1/reports",
    "/api/v1/repos/tide/app/builds/1/logs/1/2", "/api/v1/repos/tide/app/builds/1/search?text=x",
    "/api/v1/repos/tide/app/crons", "/api/v1/repos/tide/app/secrets", "/api/v1/secrets",
    "/api/v1/orgs/tide/secrets", "/api/v1/orgs", "/api/v1/users", "/api/v1/tokens",
    "/api/v1/images?candidates=true", "/api/v1/runners", "/api/v1/queue", "/api/v1/audit",
    "/api/v1/parked", "/api/v1/events/recent", "/api/v1/teams", "/api/v1/rights",
    "/api/v1/channels", "/api/v1/rules", "/api/v1/notices", "/api/v1/advisories",
)  # fmt: skip
FILE = """\
kind: pipeline
type: docker
name: default
clone: {disable: true}
steps:
  - {name: one, image: busybox, commands: [echo one]}
"""


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> ApiWorld:
    return ApiWorld(database, tmp_path)


@pytest.fixture
async def client(world: ApiWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=api_app(world.services))
    headers = {"Authorization": f"Bearer {world.token('ada')}"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as made:
        yield made


async def test_everything_can_be_read(client: httpx.AsyncClient, world: ApiWorld) -> None:
    await world.log(1, 2, "x\ny\n")
    for path in READS:
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)


async def test_a_build_is_made_once_retried_and_told_of(
    client: httpx.AsyncClient, world: ApiWorld
) -> None:
    world.sources.push(world.people.ids["tide/app"], "refs/heads/main", FILE)
    path, headers = "/api/v1/repos/tide/app/builds", {"Idempotency-Key": "k"}
    for _ in range(2):
        made = await client.post(path, json={"params": {"A": "b"}}, headers=headers)
        assert (made.status_code, made.json()["number"]) == (201, 3), made.text
    assert (await client.post(f"{path}/3/cancel", json={})).status_code == 200
    assert (await client.post(f"{path}/3/retry", json={})).json()["parent"] == 3
    put = await client.put("/api/v1/repos/tide/app/secrets/s", json={"value": "vvv"})
    assert put.status_code == 200
    kinds = [one["kind"] for one in (await client.get("/api/v1/events/recent")).json()["items"]]
    assert {"build-created", "build-finished"} <= set(kinds)


async def test_who_sees_a_repository_sees_its_deliveries_happen(
    client: httpx.AsyncClient, world: ApiWorld
) -> None:
    def happen(db: Connection) -> None:
        number = releases.add(db, release(1, repository="tide/app"))
        assert number is not None
        common = {"delivery": "shop", "service": "web", "version": "1.0.0", "digest": "sha256:1"}
        made = ReleaseCreated(
            release=number, revision="c1", state="published", repository="tide/app", **common
        )
        gone = PromotionChanged(
            release=number, promotion=1, environment="dev", way="promotion", state="passed",
            **common,
        )  # fmt: skip
        app = ApplicationChanged(
            namespace="argocd", name="web", uid="u", revision="c1", sync="Synced", health="Healthy"
        )
        for key, event in (("r", made), ("p", gone), ("a", app)):
            outbox.append(db, event, key=key)

    await world.database.write(happen)

    async def seen_by(login: str) -> set[str]:
        headers = {"Authorization": f"Bearer {world.token(login)}"}
        answer = await client.get("/api/v1/events/recent", headers=headers)
        return {one["kind"] for one in answer.json()["items"]}

    deliveries = {"release-created", "promotion-changed"}
    assert deliveries | {"application-changed"} <= await seen_by("ada")
    assert deliveries <= await seen_by("rea")  # a reader of the repository
    assert not deliveries & await seen_by("non")
