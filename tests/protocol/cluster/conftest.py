"""A real API server without nodes, and users' door before it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster import kubeconfig
from fairway.cluster.clusters import Clusters
from fairway.cluster.dialing import dial
from fairway.cluster.known import Kind, Own
from fairway.cluster.looking import prepare
from fairway.cluster.proxy.certificate import Certificate
from fairway.cluster.proxy.gate import Gate
from fairway.cluster.proxy.listener import Listener
from fairway.cluster.target import Target
from fairway.kit.net import free_port
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError
from fairway.model.token import TokenScope
from fairway.native import programs
from fairway.settings import load, local_environment
from fairway.store.database import Database, sqlite_url
from fairway.testing.apiserver import ApiServer
from fairway.testing.clusters import FakeOwned
from fairway.testing.people import People


@pytest.fixture(scope="session")
def native() -> Path:
    """fairway-native, for its API server and kubectl."""
    try:
        return programs.find(load().native.dir).native
    except FairwayError as error:
        pytest.skip(f"{error}: {error.remedy}")


@pytest.fixture(scope="session")
def api_server(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One for all tests of this folder."""
    server = ApiServer(native, tmp_path_factory.mktemp("api"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Door:
    """Users' door to `local`, for `kubectl` as ada (an admin), max or non."""

    def __init__(self, native: Path, folder: Path, *, people: People, server: ApiServer) -> None:
        self.folder = folder
        self.people = people
        self.native = native
        self.server = server
        self.port = free_port()
        self.owned = FakeOwned()
        self.owned.clusters = [Own(name="local", kind=Kind.EXISTING, target=target(server))]
        self.clusters = Clusters(people.database, self.owned, dial)
        self.certificate = Certificate(folder / "keys", ("127.0.0.1", "localhost"))
        self.certificate.ensure()
        self.listener = Listener(
            Gate(people.database, people.tokens, self.clusters), self.certificate.context()
        )

    async def config(self, login: str, *scopes: TokenScope) -> Path:
        """A kubeconfig for a user."""
        made = await self.people.tokens.mint(
            self.people.ids[login], name="t", scopes=scopes or [TokenScope.ADMIN], actor="ada"
        )
        path = self.folder / f"{login}-{made.id}.kubeconfig"
        own = Target(
            server=f"https://127.0.0.1:{self.port}/clusters/local",
            ca=self.certificate.authority(),
            token=made.value,
        )
        path.write_text(json.dumps(kubeconfig.written("x", own)))
        return path

    async def kubectl(self, config: Path, *words: str, given: bytes = b"") -> tuple[int, str]:
        """(exit code, all that it says)."""
        process = await asyncio.create_subprocess_exec(
            str(self.native), "kubectl", "--kubeconfig", str(config), *words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**local_environment(), "HOME": str(self.folder)},
        )  # fmt: skip
        out, _ = await process.communicate(given)
        assert process.returncode is not None
        return process.returncode, out.decode()


def target(server: ApiServer) -> Target:
    """The way in that may do everything."""
    admin: Any = server.admin
    return Target(
        server=server.server,
        ca=admin.ca.decode(),
        cert=admin.certificate.decode(),
        key=Secret(admin.key.reveal()),
    )


@pytest.fixture
async def door(
    native: Path, api_server: ApiServer, sqlite_template: Path, tmp_path: Path
) -> AsyncIterator[Door]:
    """The door, open."""
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(sqlite_url(path), durable=False)
    made = Door(native, tmp_path, people=People(database), server=api_server)
    client = dial(target(api_server), timeout_s=90)
    await prepare(client)
    await client.close()
    ready = asyncio.Event()
    listening = asyncio.create_task(made.listener.run([("127.0.0.1", made.port)], ready))
    await ready.wait()
    yield made
    listening.cancel()
    await asyncio.wait([listening])
    database.close()
