"""What an embedded cluster could leave on its machine, as one comparable value."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan
from fairway.kit import processes


class Traces(Struct, frozen=True):
    """Of a cluster: its processes, mounts, devices, routes, rules, groups, files elsewhere."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    devices: tuple[str, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    groups: tuple[str, ...]
    elsewhere: tuple[str, ...]


def said(*words: str) -> list[str]:
    """The lines that a command prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def of(paths: Layout, plan: ClusterPlan) -> Traces:
    """What there is now of a cluster."""
    block = plan.block.rpartition(".0.0/")[0] + "."
    folder = str(paths.folder)
    return Traces(
        processes=tuple(
            " ".join(words) for _, words in processes.everything() if folder in " ".join(words)
        ),
        mounts=tuple(
            line
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if folder in line or str(paths.run) in line
        ),
        devices=tuple(line for line in said("ip", "-o", "link") if plan.id in line),
        routes=tuple(
            line
            for line in said("ip", "route", "show", "table", "all")
            if f" {block}" in f" {line}"
        ),
        rules=tuple(
            line for line in said("iptables-save") if plan.id in line or plan.block in line
        ),
        groups=tuple(str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{plan.cgroup}")),
        elsewhere=tuple(
            str(path)
            for path in [
                *Path("/var/lib/cni/results").glob("*"),
                *Path("/var/log/containers").glob("*"),
            ]
            if plan.cgroup in path.name or (path.is_symlink() and folder in str(path.readlink()))
        ),
    )


NOTHING = Traces((), (), (), (), (), (), ())


def shim_sockets(paths: Layout, sandboxes: Iterable[str]) -> set[str]:
    """The sockets of these sandboxes' shims, by the names that containerd derives."""
    names = (f"{paths.socket}/k8s.io/{one}" for one in sandboxes)
    hashed = {hashlib.sha256(name.encode()).hexdigest() for name in names}
    return {name for name in hashed if (Path("/run/containerd/s") / name).exists()}


def loopback_results(sandboxes: Iterable[str]) -> set[str]:
    """libcni's notes of these sandboxes' loopback devices."""
    folder = Path("/var/lib/cni/results")
    return {one for one in sandboxes if (folder / f"cni-loopback-{one}-lo").exists()}
