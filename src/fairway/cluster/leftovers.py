"""What a cluster leaves on its machine when its processes have ended, and its removal. Blocks."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import shutil
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from fairway.cluster import cgroups
from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan
from fairway.kit import processes

_SHIMS_S: Final = 10.0
_DETACH: Final = 2  # MNT_DETACH
_SHIM_SOCKETS: Final = Path("/run/containerd/s")
_CNI_RESULTS: Final = Path("/var/lib/cni/results")
_POD_LOGS: Final = Path("/var/log/containers")
_CONTAINER_NAMESPACE: Final = "k8s.io"
_TASKS: Final = "io.containerd.runtime.v2.task"
_log = logging.getLogger(__name__)

Say = Callable[[str], None]


def shims(paths: Layout) -> dict[int, str]:
    """The running shims of our containerd, and the sandbox each serves."""
    found = {}
    for pid, words in processes.everything():
        if words and "containerd-shim" in words[0]:
            flags = dict(pairwise(words))
            if flags.get("-address") == str(paths.socket):
                found[pid] = flags.get("-id", "")
    return found


def is_idle(paths: Layout, plan: ClusterPlan) -> bool:
    """Whether no pod of the cluster runs."""
    return not shims(paths) and not cgroups.members(plan.cgroup)


def end_pods(paths: Layout, plan: ClusterPlan, patience_s: float) -> int:
    """End the processes of all pods, then their shims. Returns how many processes there were."""
    known = _tasks(paths)
    count = cgroups.end(plan.cgroup, patience_s)
    for pid in shims(paths):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    processes.wait_for(lambda: not shims(paths), _SHIMS_S)
    _forget(paths, known)
    return count


def _tasks(paths: Layout) -> list[str]:
    """The containers that containerd has running, or had when it ended."""
    folder = paths.containerd_state / _TASKS / _CONTAINER_NAMESPACE
    try:
        return [task.name for task in folder.iterdir()]
    except OSError:
        return []


def _forget(paths: Layout, tasks: list[str]) -> None:
    """What containers leave outside our folder when their shims were killed: a socket, whose name
    containerd derives so, and libcni's results, which it keeps where it was told nothing of.
    """
    for task in tasks:
        name = f"{paths.socket}/{_CONTAINER_NAMESPACE}/{task}"
        with contextlib.suppress(OSError):
            (_SHIM_SOCKETS / hashlib.sha256(name.encode()).hexdigest()).unlink()
        _remove_named(f"cni-loopback-{task}-lo")


def sweep(paths: Layout, plan: ClusterPlan) -> None:
    """After the pods have ended (or the machine was started anew): no mount, no group, no state
    of containerd that names containers which are gone. Objects, images and volumes stay.
    """
    for folder in (paths.containerd_state, paths.kubelet, paths.images):
        unmount(folder)
    cgroups.remove(plan.cgroup)
    _forget(paths, _tasks(paths))
    _remove_named(f"{plan.cgroup}-*")
    for folder in (paths.containerd_state, paths.folder / "addresses"):
        shutil.rmtree(folder, ignore_errors=True)
    paths.socket.unlink(missing_ok=True)
    paths.socket.with_name(paths.socket.name + ".ttrpc").unlink(missing_ok=True)
    _remove_log_links(paths)


def unmount(folder: Path) -> None:
    """Let go of every mount in or below a folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    for point in processes.mounts_below(folder):
        libc.umount2(os.fsencode(point), _DETACH)


def _remove_named(pattern: str) -> None:
    with contextlib.suppress(OSError):
        for path in _CNI_RESULTS.glob(pattern):
            path.unlink(missing_ok=True)


def _remove_log_links(paths: Layout) -> None:
    """The kubelet's links to pods' logs, at a place that is every kubelet's."""
    with contextlib.suppress(OSError):
        for link in _POD_LOGS.iterdir():
            if link.is_symlink() and paths.folder in link.readlink().parents:
                link.unlink(missing_ok=True)


def remove_files(paths: Layout) -> None:
    """Remove all files of the cluster. Raises OSError; nothing below may be mounted."""
    left = [*processes.mounts_below(paths.folder), *processes.mounts_below(paths.run)]
    if left:
        raise OSError(f"{left[0]} is still mounted; {paths.folder} was not removed")
    shutil.rmtree(paths.run, ignore_errors=True)
    if paths.folder.exists():
        for path in paths.folder.iterdir():
            if path.is_dir():  # the files at the top say what it was, until all else is gone
                shutil.rmtree(path)
        shutil.rmtree(paths.folder)
