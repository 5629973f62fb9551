"""The disk fills up: new work waits and says so, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fairway.client.wire.build import Build
from fairway.model.errors import NotFound
from fairway.pipeline import brakes
from fairway.store.database import Database, sqlite_url
from fairway.testing.installation import Copy, Installation, until

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
]
MIB = 1024 * 1024
SIZE, LEAST = 96 * MIB, 32 * MIB
TICKS = 30
SLOW = f"""kind: pipeline
name: slow
clone: {{disable: true}}
steps:
- name: ticks
  image: busybox
  pull: never
  commands: ['for i in $(seq 1 {TICKS}); do seq -w $i 1 5000; echo tick $i; sleep 0.3; done']
"""
QUICK = SLOW.replace(f"seq 1 {TICKS}", "seq 1 1")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def system(disk: Path, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(
        tmp_path / "fairway",
        data=disk / "data",
        environment={"FAIRWAY_RETENTION__FREE_SPACE_BYTES": str(LEAST)},
    )
    made.start()
    yield made
    made.stop()
    (disk / "filler").unlink(missing_ok=True)
    made.command("down", "--purge", "--yes")


def fill(disk: Path, leave: int) -> None:
    """Take all room but `leave` bytes."""
    found = os.statvfs(disk)
    with (disk / "filler").open("ab") as file:
        if leave:
            free = found.f_bavail * found.f_frsize
            os.posix_fallocate(file.fileno(), 0, free - leave)
        else:
            with pytest.raises(OSError, match="No space"):
                write_for_ever(file.fileno())


def write_for_ever(file: int) -> None:
    while True:
        os.write(file, b"x" * 4096)


def push(system: Installation, folder: Path, slug: str, text: str) -> bool:
    copy = Copy(folder)
    copy.commit({".drone.yml": text})
    return copy.push(system.remote(slug), check=False)


def waits_for_disk(system: Installation, slug: str) -> Build | None:
    try:
        build = system.build(slug, 1)
    except NotFound:  # a push is taken before its build is made
        return None
    said = " ".join([build.reason, *(stage.reason for stage in build.stages)])
    return build if build.status == "pending" and "disk" in said.lower() else None


def test_new_builds_wait_for_room_and_say_so(
    system: Installation, disk: Path, tmp_path: Path
) -> None:
    assert push(system, tmp_path / "one", "full/one", QUICK)
    assert system.ended("full/one").status == "passed"
    fill(disk, LEAST // 2)
    until("it is seen", lambda: held_back(system), seconds=120)
    assert not httpx.get(f"{system.url}/readyz", trust_env=False).is_success
    assert push(system, tmp_path / "two", "full/two", QUICK)
    until("it waits for the disk", lambda: waits_for_disk(system, "full/two"))
    (disk / "filler").unlink()
    assert system.ended("full/two").status == "passed"


def held_back(system: Installation) -> bool:
    database = Database(sqlite_url(system.data / "fairway.db"))
    try:
        return database.read_now(brakes.brakes_of).disk_low
    finally:
        database.close()


def test_a_disk_without_any_room_loses_nothing(
    system: Installation, disk: Path, tmp_path: Path
) -> None:
    assert push(system, tmp_path / "slow", "full/slow", SLOW)
    until("it runs", lambda: ticks(system, "full/slow"))
    system.create("full/pushed")
    fill(disk, 0)
    assert_refused_with_remedy(system)
    noise = Copy(tmp_path / "noise")
    noise.commit({"noise": os.urandom(MIB)})
    refused = noise.git("push", system.remote("full/pushed"), "HEAD:refs/heads/main", check=False)
    assert refused.returncode != 0
    assert "space" in refused.stderr or "disk" in refused.stderr or "room" in refused.stderr
    (disk / "filler").unlink()
    build = system.ended("full/slow")
    assert build.status == "passed", build
    wanted = [f"tick {number}" for number in range(1, TICKS + 1)]
    lines = system.raw_log("full/slow", 1, 1, 1).decode().splitlines()
    assert [line for line in lines if line.startswith("tick")] == wanted
    assert len(lines) == 1 + sum(5000 - number + 2 for number in range(1, TICKS + 1))
    assert noise.push(system.remote("full/pushed"))


def ticks(system: Installation, slug: str) -> bool:
    try:
        return b"tick 2" in system.raw_log(slug, 1, 1, 1)
    except Exception:  # noqa: BLE001 it has not begun
        return False


def assert_refused_with_remedy(system: Installation) -> None:
    """A blob cannot be kept: a status of 5xx, and words about the room."""
    registry = f"{system.url}/v2/full/pushed/blobs/uploads/"
    with httpx.Client(auth=("admin", system.token), timeout=60, trust_env=False) as client:
        begun = client.post(registry)
        if begun.status_code == 202:
            where = httpx.URL(system.url).join(begun.headers["Location"])
            begun = client.patch(where, content=os.urandom(4 * MIB))
    assert begun.status_code >= 500, begun.text
    assert any(word in begun.text.lower() for word in ("space", "room", "full")), begun.text
