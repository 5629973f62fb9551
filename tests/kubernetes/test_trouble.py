"""What keeps a cluster from running is said, with what to do; then it is mended and runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import traces
from town import DOCKER, Town, eventually, pod, town, why_not

from fairway.cluster import network
from fairway.kit.net import free_port


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """A cluster that each test brings into trouble, and out of it."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path_factory.mktemp("troubled")) as made:
        yield made


def shown(town: Town, name: str = "") -> dict[str, Any]:
    """The cluster or one of its components."""
    return town.components()[name]


def stopped(town: Town) -> None:
    """`fairway down`."""
    town.ok("down", "--data", str(town.data))


def test_a_port_that_somebody_took_is_a_reason_and_then_it_starts(troubled: Town) -> None:
    stopped(troubled)
    network.ensure(troubled.paths, troubled.plan)  # the address must be there to be taken
    with socket.create_server((troubled.plan.gateway, 6443)):
        troubled.up()

        def said() -> str:
            found = shown(troubled, "apiserver")
            assert found["restarts"] > 0, found
            return str(found["reason"])

        assert "address already in use" in eventually(said)
    troubled.wait_ready()


def test_addresses_that_somebody_took_are_named(troubled: Town) -> None:
    stopped(troubled)
    plan = troubled.plan
    run("ip", "link", "add", "fwtest0", "type", "bridge")
    try:
        run("ip", "address", "add", f"{plan.pods.partition('/')[0]}/24", "dev", "fwtest0")
        run("ip", "link", "set", "fwtest0", "up")
        troubled.up()
        found = eventually(lambda: shown(troubled)["state"] == "waiting" and shown(troubled))
        assert plan.block in found["reason"]
        assert "ip route" in found["reason"]
    finally:
        run("ip", "link", "delete", "fwtest0")
    troubled.wait_ready()


def test_a_plan_of_another_version_is_refused_by_its_file(troubled: Town) -> None:
    stopped(troubled)
    path = troubled.paths.plan
    before = path.read_bytes()
    path.write_text(json.dumps({"name": "local", "version": 99}))
    try:
        troubled.up()
        found = eventually(lambda: shown(troubled)["state"] == "waiting" and shown(troubled))
        assert "plan.json" in found["reason"]
        assert troubled.run("get", "components").code == 0  # all else works
    finally:
        path.write_bytes(before)
    troubled.wait_ready()


def test_a_store_that_cannot_be_read_is_the_reason_of_its_component(troubled: Town) -> None:
    stopped(troubled)
    member = troubled.paths.etcd / "member"
    kept = member.with_name("kept")
    member.rename(kept)
    member.write_text("not a folder")
    try:
        troubled.up()
        found = eventually(
            lambda: shown(troubled, "etcd")["restarts"] > 0 and shown(troubled, "etcd")
        )
        assert "exit status" in found["reason"]
        assert "member" in found["reason"]
        assert shown(troubled)["state"] in {"degraded", "starting"}
    finally:
        member.unlink()
        kept.rename(member)
    troubled.wait_ready()


def test_a_component_that_hangs_is_shown_as_unready(troubled: Town) -> None:
    pid = troubled.pids()["scheduler"]
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: shown(troubled, "scheduler")["state"] == "unready")
        assert "scheduler" in shown(troubled)["reason"]
    finally:
        os.kill(pid, signal.SIGCONT)
    troubled.wait_ready()
    assert troubled.pids()["scheduler"] == pid


def test_a_pod_that_crashes_shows_its_last_words_and_holds_up_nobody(troubled: Town) -> None:
    crashing = pod("crashing", "echo no such database; exit 3")
    troubled.apply(crashing)

    def status() -> Any:
        found = troubled.get("pod", "crashing")["status"].get("containerStatuses", [])
        assert found, "no container yet"
        assert found[0]["restartCount"] > 0, found
        return found[0]

    ended = eventually(status)["lastState"]["terminated"]
    assert ended["exitCode"] == 3
    # While it crashes once more, the one before goes and the next is not yet the last.
    words = ("logs", "crashing", "--previous")
    eventually(lambda: "no such database" in troubled.kubectl(*words).out)
    troubled.pod("beside", "exec sleep 3600")
    troubled.kubectl("delete", "pod", "crashing", "beside")


def test_nothing_is_left_when_it_never_became_ready(tmp_path: Path, own_loop: None) -> None:
    if reason := why_not():
        pytest.skip(reason)
    made = Town(tmp_path, DOCKER, free_port())
    made.up()
    eventually(made.paths.plan.exists)
    paths, plan = made.paths, made.plan
    made.down()
    assert traces.of(paths, plan) == traces.NOTHING
    assert not made.data.exists()


@pytest.fixture
def small_disk(tmp_path: Path, own_loop: None) -> Iterator[Town]:
    """A cluster whose data directory is a disk of its own."""
    if reason := why_not():
        pytest.skip(reason)
    made = Town(tmp_path, DOCKER, free_port())
    run("mount", "-t", "tmpfs", "-o", "size=2g", "small", str(made.data))
    try:
        made.up()
        made.wait_ready()
        made.load_busybox()
        yield made
    finally:
        (made.data / "ballast").unlink(missing_ok=True)
        made.stop()
        run("umount", str(made.data))
        made.data.rmdir()


def test_a_full_disk_is_said_by_the_node_and_room_mends_it(small_disk: Town) -> None:
    def pressure() -> str:
        conditions = small_disk.get("node", f"{small_disk.name}-node")["status"]["conditions"]
        return next(one["status"] for one in conditions if one["type"] == "DiskPressure")

    ballast = small_disk.data / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:  # to the last byte
            file.write(bytes(1024 * 1024))
            file.flush()
    eventually(lambda: pressure() == "True")
    # Without one byte SQLite may be unable to read, until the kubelet has made some room.
    eventually(lambda: shown_disk(small_disk)["healthy"] is False)
    small_disk.kubectl("get", "nodes")  # the API answers all the same
    ballast.unlink()
    eventually(lambda: pressure() == "False")
    # A kubelet in need of room removes images that nothing uses: what pods begin with comes back.
    ctr = ("ctr", "-a", str(small_disk.paths.socket), "-n", "k8s.io", "images")
    for name in run(*ctr, "ls", "-q").split():
        run(*ctr, "rm", name)
    small_disk.load_busybox()
    small_disk.pod("after", "exec sleep 3600")
    small_disk.wait_ready()


def shown_disk(town: Town) -> Any:
    """Fairway's own word on the disk."""
    items = json.loads(town.ok("get", "components", "-o", "json").out)
    found = items["items"] if isinstance(items, dict) else items
    return next(one for one in found if one["name"] == "disk")


def run(*words: str) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return str(done.stdout)
