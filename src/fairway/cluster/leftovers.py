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

_DETACH: Final = 2  # MNT_DETACH
_SHIM_SOCKETS: Final = Path("/run/containerd/s")
_CNI_RESULTS: Final = Path("/var/lib/cni/results")
_POD_LOGS: Final = Path("/var/log/containers")
_CONTAINER_NAMESPACE: Final = "k8s.io"
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
    count = cgroups.end(plan.cgroup, patience_s)
    known = shims(paths)
    for pid in known:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    processes.wait_for(lambda: not shims(paths), patience_s)
    for sandbox in known.values():
        _forget_shim(paths, sandbox)
    return count


def _forget_shim(paths: Layout, sandbox: str) -> None:
    """A killed shim leaves its socket, whose name containerd derives so."""
    name = f"{paths.socket}/{_CONTAINER_NAMESPACE}/{sandbox}"
    with contextlib.suppress(OSError):
        (_SHIM_SOCKETS / hashlib.sha256(name.encode()).hexdigest()).unlink()


def sweep(paths: Layout, plan: ClusterPlan) -> None:
    """After the pods have ended (or the machine was started anew): no mount, no group, no state
    of containerd that names containers which are gone. Objects, images and volumes stay.
    """
    for folder in (paths.containerd_state, paths.kubelet, paths.images):
        unmount(folder)
    cgroups.remove(plan.cgroup)
    for folder in (paths.containerd_state, paths.folder / "addresses"):
        shutil.rmtree(folder, ignore_errors=True)
    paths.socket.unlink(missing_ok=True)
    paths.socket.with_name(paths.socket.name + ".ttrpc").unlink(missing_ok=True)
    _remove_named(_CNI_RESULTS, plan.cgroup)
    _remove_log_links(paths)


def unmount(folder: Path) -> None:
    """Let go of every mount in or below a folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    for point in processes.mounts_below(folder):
        libc.umount2(os.fsencode(point), _DETACH)


def _remove_named(folder: Path, name: str) -> None:
    """libcni's results, which it keeps outside any folder that it could be told."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{name}-*"):
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
        shutil.rmtree(paths.folder)
    with contextlib.suppress(OSError):
        paths.folder.parent.rmdir()  # the last one's
