"""The Docker Engine dies in the middle of a build. It is an Engine of the test's own, in a network
namespace, so that nobody else's is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.docker.client import Docker
from fairway.docker.daemon import OwnEngine, client
from fairway.image.cache import BuildCache
from fairway.kit import processes
from fairway.testing.installation import Copy, Installation, until

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an Engine"),
]
NEW_NETWORK_NAMESPACE = 0x40000000
TICKS = 40
FILE = f"""kind: pipeline
name: one
clone: {{disable: true}}
steps:
- name: ticks
  image: busybox
  pull: never
  commands: ['for i in $(seq 1 {TICKS}); do echo tick $i; sleep 0.3; done']
- {{name: after, image: busybox, pull: never, commands: [echo after]}}
"""
BUILDS = """kind: pipeline
name: image
steps:
- {name: publish, image: plugins/docker, settings: {repo: engine/image}}
"""


def busybox() -> bytes:
    """The image as the Engine of the environment has it."""
    with client(os.environ["DOCKER_HOST"], 60) as api:
        return api.get("/images/busybox:latest/get").raise_for_status().content


def apart(work: Callable[[Installation, Path], None], folder: Path) -> None:
    """Run in a process with a network of its own; what it raises is the test's failure."""
    folder.chmod(0o711)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=inside, args=(work, folder, busybox()))
    child.start()
    child.join(840)
    assert child.exitcode == 0, "see the output above"


def inside(work: Callable[[Installation, Path], None], folder: Path, image: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(NEW_NETWORK_NAMESPACE) == 0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    system = Installation(folder / "fairway", environment={"DOCKER_HOST": "unix:///nowhere"})
    engine = OwnEngine(system.data / "docker")
    before = trace(system.data)
    try:
        engine.ensure()
        with client(engine.host, 60) as api:
            api.post("/images/load", content=image).raise_for_status()
        system.start()
        work(system, folder)
        system.stop()
        system.command("down", "--purge", "--yes")
    finally:
        system.kill()
        engine.purge()
    assert trace(system.data) == before, "the purge left something behind"
    assert not system.data.exists()


def trace(folder: Path) -> tuple[list[str], list[str], list[Path], list[list[str]]]:
    """Everything that an Engine could leave behind."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    rules = [
        line
        for line in saved.splitlines()
        if line.startswith("-A") or (line.startswith(":") and " ACCEPT " not in line)
    ]
    links = [line.split(":")[0] for line in Path("/proc/self/net/dev").read_text().splitlines()]
    mine = [words for _, words in processes.everything() if str(folder) in " ".join(words)]
    return rules, links, processes.mounts_below(folder), mine


def begun(system: Installation, folder: Path) -> None:
    copy = Copy(folder / "copy")
    copy.commit({".drone.yml": FILE})
    copy.push(system.remote("engine/one"))
    until("it runs", lambda: ticking(system))


def ticking(system: Installation) -> bool:
    with contextlib.suppress(Exception):
        return b"tick 3" in system.raw_log("engine/one", 1, 1, 1)
    return False


def kill(engine: OwnEngine) -> None:
    os.kill(int(engine.paths.pid_file.read_text()), signal.SIGKILL)
    assert processes.wait_for(lambda: not engine.is_running(), 10)


def killed_and_restarted(system: Installation, folder: Path) -> None:
    engine = OwnEngine(system.data / "docker")
    begun(system, folder)
    kill(engine)
    engine.ensure()
    build = system.ended("engine/one")
    assert build.status == "passed", [step.error for step in build.stages[0].steps]
    log = system.raw_log("engine/one", 1, 1, 1).decode().splitlines()
    assert log[1:] == [f"tick {number}" for number in range(1, TICKS + 1)]
    nothing_left(engine)


def nothing_left(engine: OwnEngine) -> None:
    def left() -> list[str]:
        with client(engine.host) as api:
            return [one["Id"] for one in api.get("/containers/json", params={"all": 1}).json()]

    until("its containers are removed", lambda: not left())


def test_a_build_goes_on_when_its_engine_was_killed_and_came_back(tmp_path: Path) -> None:
    """The Engine keeps containers alive (live-restore); the log goes on where it was."""
    apart(killed_and_restarted, tmp_path)


def died_with_containers(system: Installation, folder: Path) -> None:
    engine = OwnEngine(system.data / "docker")
    begun(system, folder)
    kill(engine)
    engine.stop()
    engine.ensure()
    is_errored(system)
    nothing_left(engine)


def is_errored(system: Installation) -> None:
    """A step that was killed with its engine did not fail by itself, and says so."""
    build = system.ended("engine/one")
    steps = build.stages[0].steps
    assert build.status == "errored", [(step.status, step.error) for step in steps]
    assert [step.status for step in steps] == ["errored", "skipped"]
    assert "the engine stopped" in steps[0].error


def test_a_build_is_errored_when_its_engine_died_with_the_containers(tmp_path: Path) -> None:
    apart(died_with_containers, tmp_path)


def down_and_up(system: Installation, folder: Path) -> None:
    """`fairway down` ends the Engine that is ours, and what ran in it."""
    begun(system, folder)
    system.command("down")
    system.start()
    is_errored(system)
    nothing_left(OwnEngine(system.data / "docker"))


def test_a_build_is_errored_when_our_engine_was_taken_down_under_it(tmp_path: Path) -> None:
    apart(down_and_up, tmp_path)


def cache_within_size(system: Installation, folder: Path) -> None:
    """What image builds left goes down to the size that is allowed, and builds go on."""
    host = OwnEngine(system.data / "docker").host
    copy = Copy(folder / "copy")
    dockerfile = "FROM busybox:latest\nRUN head -c 3000000 /dev/urandom > /noise\n"
    copy.commit({".drone.yml": BUILDS, "Dockerfile": dockerfile})
    copy.push(system.remote("engine/image"))
    assert system.ended("engine/image").status == "passed"
    forget_images(host)  # what an image holds as well is no cache's own
    before = cache_size(host)
    assert before > 3_000_000
    assert asyncio.run(pruned(host, 2 * before)) == 0
    assert cache_size(host) == before
    assert asyncio.run(pruned(host, 1)) >= 3_000_000
    assert cache_size(host) < 100_000
    copy.commit({"again": "again"})
    copy.push(system.remote("engine/image"))
    assert system.ended("engine/image", 2).status == "passed"
    forget_images(host)
    before = cache_size(host)
    assert asyncio.run(pruned(host, 0, days=1)) == 0
    assert cache_size(host) == before > 3_000_000
    a_second = 1 / 86400
    until("unused for a second", lambda: asyncio.run(pruned(host, 0, days=a_second)) >= 3_000_000)


async def pruned(host: str, most: int, days: float = 0) -> int:
    docker = Docker(host)
    try:
        return await BuildCache(docker, most_bytes=most, days=days).round()
    finally:
        docker.close()


def forget_images(host: str) -> None:
    with client(host, 60) as api:
        for image in api.get("/images/json").json():
            if image["RepoTags"] != ["busybox:latest"]:
                api.delete(f"/images/{image['Id']}", params={"force": 1}).raise_for_status()


def cache_size(host: str) -> int:
    with client(host, 60) as api:
        found = api.get("/system/df").json()["BuildCache"] or []
    return sum(one["Size"] for one in found if not one["Shared"])


def test_the_build_cache_is_kept_within_its_size(tmp_path: Path) -> None:
    apart(cache_within_size, tmp_path)
