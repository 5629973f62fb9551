"""An Engine of our own: started, adopted, mended, stopped, and gone without a trace.

All of it in a network namespace, so that neither the machine's Docker nor its rules are touched.
"""

import ctypes
import io
import multiprocessing
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.docker.daemon import OwnEngine, client
from fairway.kit import processes

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an Engine"),
]
NEW_NETWORK_NAMESPACE = 0x40000000


def rules() -> list[str]:
    """Rules, chains of our own making and policies; an empty table is nothing."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [
        line
        for line in saved.splitlines()
        if line.startswith("-A") or (line.startswith(":") and " ACCEPT " not in line)
    ]


def links() -> str:
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    return "\n".join(line.split(":")[0] for line in lines)


def trace(folder: Path) -> tuple[list[str], str, list[Path], list[list[str]]]:
    """Everything that an Engine could leave behind."""
    mine = [words for _, words in processes.everything() if str(folder) in " ".join(words)]
    return rules(), links(), processes.mounts_below(folder), mine


def inside(work: Callable[[Path], None], folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(NEW_NETWORK_NAMESPACE) == 0
    subprocess.run(["iptables", "-A", "FORWARD", "-s", "192.0.2.7", "-j", "DROP"], check=True)
    engine = OwnEngine(folder)
    before = trace(folder)
    try:
        work(folder)
    finally:
        engine.purge()
    assert trace(folder) == before
    assert not folder.exists()


def apart(work: Callable[[Path], None], folder: Path) -> None:
    """Run in a process with a network of its own; what it raises is the test's failure."""
    child = multiprocessing.get_context("fork").Process(target=inside, args=(work, folder))
    child.start()
    child.join(170)
    assert child.exitcode == 0, "see the output above"


def import_busybox(host: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
    with client(host, 60) as api:
        query = {"fromSrc": "-", "repo": "busybox"}
        api.post("/images/create", params=query, content=archive.getvalue()).raise_for_status()


def run_sleeper(host: str) -> str:
    """A container on a network of its own, with a published port."""
    with client(host, 60) as api:
        made = api.post("/networks/create", json={"Name": "build"}).raise_for_status()
        assert made.json()["Id"]
        config = {
            "Image": "busybox",
            "Cmd": ["/bin/busybox", "sleep", "600"],
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"NetworkMode": "build", "PortBindings": {"80/tcp": [{}]}},
        }
        container = api.post("/containers/create", json=config).raise_for_status().json()["Id"]
        api.post(f"/containers/{container}/start").raise_for_status()
        return str(container)


def running(host: str) -> list[str]:
    with client(host) as api:
        return [one["Id"] for one in api.get("/containers/json").json()]


def adopts(folder: Path) -> None:
    first = OwnEngine(folder).ensure()
    state = (folder / "state.json").read_bytes()
    again = OwnEngine(folder).ensure()
    assert first == again
    assert again.ours
    assert again.gateway.startswith("10.")
    assert (folder / "state.json").read_bytes() == state, "it was started twice"


def test_an_engine_is_started_once_and_adopted_afterwards(tmp_path: Path) -> None:
    apart(adopts, tmp_path / "engine")


def survives(folder: Path) -> None:
    engine = OwnEngine(folder)
    host = engine.ensure().host
    import_busybox(host)
    container = run_sleeper(host)
    os.kill(int(engine.paths.pid_file.read_text()), signal.SIGKILL)
    assert processes.wait_for(lambda: not engine.is_running(), 10)
    assert engine.ensure().host == host
    assert running(host) == [container]


def test_containers_outlive_a_killed_daemon_and_are_gone_after_purge(tmp_path: Path) -> None:
    apart(survives, tmp_path / "engine")


def is_stopped(folder: Path) -> None:
    engine = OwnEngine(folder)
    before = trace(folder)
    host = engine.ensure().host
    import_busybox(host)
    run_sleeper(host)
    engine.stop()
    assert trace(folder) == before
    assert not engine.is_running()
    engine.ensure()
    assert running(host) == []
    with client(host) as api:
        assert [one["RepoTags"] for one in api.get("/images/json").json()] == [["busybox:latest"]]


def test_a_stopped_engine_leaves_only_its_files_and_starts_again(tmp_path: Path) -> None:
    apart(is_stopped, tmp_path / "engine")


def is_purged_when_dead(folder: Path) -> None:
    engine = OwnEngine(folder)
    host = engine.ensure().host
    import_busybox(host)
    run_sleeper(host)
    os.kill(int(engine.paths.pid_file.read_text()), signal.SIGKILL)
    assert processes.wait_for(lambda: not engine.is_running(), 10)


def test_a_killed_engine_with_containers_is_purged_without_a_trace(tmp_path: Path) -> None:
    apart(is_purged_when_dead, tmp_path / "engine")
