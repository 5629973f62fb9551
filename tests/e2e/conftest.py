"""One Fairway for the whole session: `fairway up` in a data directory of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ground import Ground, Receiver, receiving
from sqlalchemy import text

from fairway.kit.net import free_port
from fairway.store.database import Database

POSTGRES = os.environ.get("FAIRWAY_TEST_POSTGRES", "")
DOCKER = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the running system needs a Docker Engine, and may take a while."""
    for item in items:
        if "ground" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Engine's image busybox:latest; made of the machine's own program where it is missing."""
    image = "busybox:latest"
    docker = ["docker", "-H", DOCKER]
    if subprocess.run(
        [*docker, "image", "inspect", image], capture_output=True, check=False
    ).returncode:
        archive = tmp_path_factory.mktemp("busybox") / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            for name in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                if name != "busybox":
                    tar.addfile(link)
        words = ["import", "-c", "ENV PATH=/bin", "-c", 'CMD ["sh"]', str(archive), image]
        subprocess.run([*docker, *words], check=True, capture_output=True)
    return image


@pytest.fixture(scope="session")
def ground(
    tmp_path_factory: pytest.TempPathFactory, busybox: str, own_loop: None
) -> Iterator[Ground]:
    """The running system, with busybox in its registry."""
    folder: Path = tmp_path_factory.mktemp("ground")
    made = Ground(folder, DOCKER, free_port())
    made.up()
    try:
        login = ["login", "-u", "admin", "--password-stdin", made.registry]
        done = made.program("docker", *login, cwd=folder, given=made.token)
        assert done.code == 0, done.all
        ours = f"{made.registry}/library/busybox:latest"
        made.docker("tag", busybox, ours)
        made.docker("push", "-q", ours)
        made.docker("rmi", ours)
        yield made
    finally:
        made.down()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of HTTP calls."""
    with receiving() as made:
        yield made


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty database on the test server."""
    if not POSTGRES:
        pytest.skip("FAIRWAY_TEST_POSTGRES names no server")
    name = f"fairway_e2e_{secrets.token_hex(4)}"
    server = Database(POSTGRES)
    autocommit = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    yield POSTGRES.rpartition("/")[0] + "/" + name
    with autocommit.connect() as db:
        db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.close()
