"""A base image made from Debian's packages, run by a real engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fairway.blob.folder import Folder
from fairway.image.base import Where, make_base
from fairway.image.registry import Deps, registry_app
from fairway.image.registry.access import Open
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.http import served

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="needs mmdebstrap"),
]


async def test_it_is_made_once_kept_and_runs(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "registry.db"), durable=False)
    metadata.create_all(database.engine)
    deps = Deps(db=database, blobs=Folder(tmp_path / "blobs"), access=Open(), key=bytes(32))
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    with served(registry_app(deps)) as url:
        host = url.removeprefix("http://")
        where = Where(registry=host, auth=None, cache=tmp_path / "cache")
        first = await make_base("busybox", where, say)
        again = await make_base("busybox", where, say)
        image = f"{host}/{first.name}@{first.digest}"
        command = ["docker", "run", "--rm", image, "sh", "-c", "echo $((6 * 7)); ls /etc/ssl/certs"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        subprocess.run(["docker", "rmi", image], capture_output=True, check=False)
    database.close()
    assert (first.cached, again.cached) == (False, True)
    assert again.digest == first.digest
    assert len(said) == 1
    assert done.stdout.split()[0] == "42", done.stderr
