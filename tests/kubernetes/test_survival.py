"""Restarts of Fairway, kills, a reboot: the cluster comes back, with its objects and volumes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import traces
from town import Town, claim, eventually, get, pod, town, web, why_not

from fairway.cluster import cgroups, leftovers
from fairway.kit import processes

COMPONENTS = (
    "etcd", "containerd", "apiserver", "controller-manager", "scheduler", "kubelet", "proxy",
    "coredns", "node",
)  # fmt: skip


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, own_loop: None) -> Iterator[Town]:
    """A cluster with a web server and a pod that has written to a volume; each test kills some."""
    if reason := why_not():
        pytest.skip(reason)
    with town(tmp_path_factory.mktemp("victim")) as made:
        made.apply(*web("web"))
        made.apply(claim("kept"), writer("kept"))
        serves(made, address(made))
        yield made


def containers(town: Town) -> dict[str, Any]:
    """Each pod's container and how often it was restarted."""
    return {
        one["metadata"]["name"]: [
            (status["containerID"], status["restartCount"])
            for status in one["status"]["containerStatuses"]
        ]
        for one in town.get("pods")["items"]
    }


def restarted(town: Town) -> dict[str, int]:
    """How often Fairway started each component again since it was set up."""
    return {name: one["restarts"] for name, one in town.components().items()}


def writer(volume: str) -> dict[str, Any]:
    """A pod that adds a line to a file of a claimed volume each time it starts."""
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "echo written >> /v/file; exec sleep 3600"
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": volume}}]
    return pod("writer", script, volumes=volumes, container=mount)


def written(town: Town) -> int:
    """How often it started, by the file in its volume."""
    return town.sh("writer", "cat /v/file").count("written")


def address(town: Town) -> str:
    """The web server's Service."""
    return str(town.get("service", "web")["spec"]["clusterIP"])


def answers(host: str) -> bool:
    """Whether the web server answers this machine."""
    try:
        return "web-" in get(host, 80)
    except OSError:
        return False


def serves(town: Town, host: str) -> None:
    """It is ready, its pods run, names resolve, and the Service answers."""
    town.wait_ready()
    town.wait("deployment", "web", "condition=Available")
    eventually(lambda: answers(host))
    town.wait("pod", "writer", "condition=Ready")
    eventually(lambda: "web-" in town.fetch("writer", "web", 80))


def kill(pids: set[int]) -> None:
    """All at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not [pid for pid in pids if processes.identify(pid)])


def everything(town: Town) -> set[int]:
    """Components, shims, and what runs in pods."""
    pids = set(town.pids().values()) | set(leftovers.shims(town.paths))
    return pids | cgroups.members(town.plan.cgroup)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_fairway_leaves_pods_running_and_traffic_flowing(
    victim: Town, number: int
) -> None:
    host, before, pids = address(victim), containers(victim), victim.pids()
    restarts = restarted(victim)
    victim.kill(number)
    assert answers(host)
    assert victim.fetch("writer", "web", 80)
    victim.up()
    serves(victim, host)
    assert victim.pids() == pids
    assert containers(victim) == before
    assert restarted(victim) == restarts


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_that_is_killed_comes_back_and_pods_do_not_notice(
    victim: Town, name: str
) -> None:
    host, before, pids = address(victim), containers(victim), victim.pids()
    restarts = restarted(victim)[name]
    kill({pids[name]})
    assert answers(host)
    eventually(lambda: restarted(victim)[name] > restarts)
    reason = victim.components()[name]["reason"]
    assert "SIGKILL" in reason or "ended" in reason
    serves(victim, host)
    after = victim.pids()
    assert after.pop(name) != pids.pop(name)
    assert after == pids
    assert containers(victim) == before


def test_everything_killed_at_once_comes_back_with_objects_and_volumes(victim: Town) -> None:
    host = address(victim)
    kill(everything(victim))
    serves(victim, host)
    assert written(victim) >= 2


def test_everything_and_fairway_killed_at_once_comes_back(victim: Town) -> None:
    host = address(victim)
    victim.kill()
    kill(everything(victim))
    victim.up()
    serves(victim, host)


def test_a_reboot_is_survived(victim: Town) -> None:
    """All processes gone, mounts gone, namespaces, devices, routes, rules and groups gone."""
    host, plan, paths = address(victim), victim.plan, victim.paths
    victim.kill()
    kill(everything(victim))
    for folder in (paths.folder, paths.run):
        leftovers.unmount(folder)
    run("ip", "link", "delete", plan.bridge)
    run("ip", "route", "delete", "local", plan.balancers, "dev", "lo")
    flush(victim)
    assert cgroups.remove(plan.cgroup)
    shutil.rmtree(paths.run)
    assert traces.of(paths, plan).mounts == ()
    victim.up()
    serves(victim, host)
    assert written(victim) >= 2


def test_rules_and_devices_that_somebody_removes_are_mended(victim: Town) -> None:
    host = address(victim)
    flush(victim)
    serves(victim, host)
    eventually(lambda: victim.plan.chain in "".join(traces.said("iptables-save")))
    run("ip", "link", "delete", victim.plan.bridge)
    eventually(lambda: answers(host))
    serves(victim, host)


def test_down_ends_everything_and_up_brings_it_back(victim: Town) -> None:
    host, paths, plan = address(victim), victim.paths, victim.plan
    said = victim.run("down", "--data", str(victim.data))
    assert said.code == 0
    assert "the pods of cluster local" in said.all
    assert traces.of(paths, plan) == traces.NOTHING
    victim.up()
    serves(victim, host)


def test_a_purge_leaves_nothing(own_town: Town) -> None:
    own_town.apply(*web("web", replicas=2))
    own_town.wait("deployment", "web", "condition=Available")
    paths, plan = own_town.paths, own_town.plan
    assert traces.of(paths, plan).processes
    sandboxes = set(leftovers.shims(paths).values())
    results = traces.loopback_results(sandboxes)
    sockets = traces.shim_sockets(paths, sandboxes)
    assert len(results) == len(sockets) == len(sandboxes) >= 2
    own_town.ok("down", "--purge", "--yes", "--data", str(own_town.data))
    assert traces.of(paths, plan) == traces.NOTHING
    assert traces.shim_sockets(paths, sandboxes) == set()
    assert traces.loopback_results(sandboxes) == set()
    assert not paths.folder.exists()
    assert not paths.run.exists()
    assert not own_town.data.exists()


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def flush(town: Town) -> None:
    """Take our rules away, as a restart of a firewall would."""
    for table, parent, chain in (
        ("filter", "FORWARD", town.plan.chain),
        ("filter", "INPUT", f"{town.plan.chain}-IN"),
        ("nat", "POSTROUTING", f"{town.plan.chain}-OUT"),
    ):
        run("iptables", "-w", "-t", table, "-D", parent, "-j", chain)
        run("iptables", "-w", "-t", table, "-F", chain)
        run("iptables", "-w", "-t", table, "-X", chain)
