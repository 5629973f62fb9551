"""Which addresses of sources are ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from fairway.blob.folder import Folder
from fairway.boot.sources import FleetCredentials, OwnRegistry, OwnRepositories
from fairway.image.shelf import Shelf
from fairway.model.errors import Unavailable
from fairway.settings import Http, Settings
from fairway.store import organisations, repositories
from fairway.store.database import Database
from fairway.testing.fleet import StaticFleet

OUTSIDE = "https://fairway.example.org"
LOCAL = "http://127.0.0.1:8480"


def config(db: Connection) -> int:
    """The repository shop/config."""
    team = organisations.create(db, "shop")
    return repositories.create(db, organisation=team.id, slug="shop/config").id


@pytest.mark.parametrize(
    "url",
    [
        f"{OUTSIDE}/shop/config.git",
        f"{OUTSIDE}:443/shop/config",
        f"{LOCAL}/shop/config.git/",
        "http://localhost:8480/shop/config.git",
    ],
)
async def test_a_repository_is_ours_by_every_address_that_leads_to_us(
    database: Database, url: str
) -> None:
    made = database.write_now(config)
    found = OwnRepositories(database, OUTSIDE, LOCAL)
    assert await found.find(url) == made


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/shop/config.git",
        f"{OUTSIDE}:8443/shop/config.git",
        f"{OUTSIDE}/shop/nothing.git",
        "fairway.example.org/shop/config",
        "git@fairway.example.org:shop/config.git",
    ],
)
async def test_another_address_is_somebody_elses(database: Database, url: str) -> None:
    database.write_now(config)
    assert await OwnRepositories(database, OUTSIDE, LOCAL).find(url) is None


async def test_charts_of_our_registry_are_read_from_the_shelf(
    database: Database, tmp_path: Path
) -> None:
    shelf = Shelf(database, Folder(tmp_path / "blobs"))
    settings = Settings(data=tmp_path, http=Http(external_url=OUTSIDE))
    found = OwnRegistry(database, shelf, settings)
    for address in ("fairway.example.org", "127.0.0.1:8480", "localhost:8480"):
        assert found.name(f"{address}/dev/charts/web") == "dev/charts/web"
    assert found.name("other.example.org/dev/charts/web") is None
    assert await found.versions("dev/charts/web") == []
    for version in ("1.0.0", "1.1.0-rc.1+build.7"):
        config = {"name": "web", "version": version}
        await shelf.put_chart("dev/charts/web", version, b"archive " + version.encode(), config)
    assert sorted(await found.versions("dev/charts/web")) == ["1.0.0", "1.1.0-rc.1+build.7"]
    archive = await found.chart("dev/charts/web", "1.1.0-rc.1+build.7")
    assert archive == b"archive 1.1.0-rc.1+build.7"


async def test_credentials_wait_for_a_way_into_the_hub() -> None:
    with pytest.raises(Unavailable, match="no home cluster"):
        await FleetCredentials(StaticFleet(), "argocd")("https://git.example.org/x")
