"""An environment's part of the registry as real clients meet it: promotions alone write it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from box import Box
from setting import our_deps
from spec import code

from fairway.access import tokens
from fairway.boot.registry_access import RegistryAccess
from fairway.image.registry import Deps, registry_app
from fairway.image.shelf import Shelf
from fairway.model.token import TokenScope
from fairway.store import releases
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.http import served
from fairway.testing.people import People

NAME = "tide/app"


def _admin(database: Database, people: People) -> str:
    """A token with which an admin may everything else."""
    user = people.ids["ada"]
    scopes = [TokenScope.ADMIN]
    made = database.write_now(tokens.mint, user, name="test", scopes=scopes, actor="test")
    return made.value.reveal()


def _deps(folder: Path) -> tuple[Deps, str]:
    """A registry in which `production` is an environment's."""
    database = Database(sqlite_url(folder / "people.db"), durable=False)
    metadata.create_all(database.engine)
    people = People(database)
    database.write_now(releases.reserve, "shop", {"production": "production"})
    deps = our_deps(folder, access=RegistryAccess(database, tokens.Tokens(database)), db=database)
    return deps, _admin(database, people)


@pytest.mark.client
@pytest.mark.timeout(300)
def test_a_direct_push_to_production_is_answered_403_and_a_promoted_image_is_pulled(
    tmp_path: Path,
) -> None:
    deps, token = _deps(tmp_path)
    box = Box(tmp_path)
    layout, digest = box.layout("delivered")
    skopeo = ("skopeo", "--insecure-policy", "copy", "--preserve-digests")
    quiet = ("--dest-tls-verify=false", "--src-tls-verify=false")
    with served(registry_app(deps)) as url:
        host = url.removeprefix("http://")
        box("skopeo", "login", "--tls-verify=false", "-u", "ada", "-p", token, host)
        ours, production = f"docker://{host}/{NAME}", f"docker://{host}/production/{NAME}"
        refused = box(*skopeo, *quiet, f"oci:{layout}:v1", f"{production}:v1", fails=True)
        assert "denied" in refused
        with httpx.Client(base_url=url, auth=("ada", token)) as http:
            answer = http.post(f"/v2/production/{NAME}/blobs/uploads/")
            assert (answer.status_code, code(answer)) == (403, "DENIED")
        box(*skopeo, *quiet, f"oci:{layout}:v1", f"{ours}:v1")
        box(*skopeo, *quiet, f"{ours}:v1", f"{production}:v1", fails=True)
        shelf = Shelf(deps.db, deps.blobs)
        asyncio.run(shelf.copy(NAME, digest, f"production/{NAME}", version="1.0.0"))
        box(*skopeo, *quiet, f"{production}@{digest}", f"dir:{tmp_path / 'pulled'}")
        box("skopeo", "delete", "--tls-verify=false", f"{production}@{digest}", fails=True)
    deps.db.close()
