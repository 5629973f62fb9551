"""The control groups of a cluster's pods, below a root of the cluster's own. These block."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fairway.kit import processes

_ROOT: Final = Path("/sys/fs/cgroup")
_UNIFIED: Final = _ROOT / "cgroup.controllers"
_PATIENCE_S: Final = 10.0


def roots(name: str) -> list[Path]:
    """The root in every hierarchy: one of version 2, or one for each of version 1."""
    if _UNIFIED.exists():
        return [_ROOT / name]
    hierarchies = [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path / name for path in sorted(hierarchies) if (path / "cgroup.procs").exists()]


def ensure(name: str) -> None:
    """Have the root in every hierarchy: the kubelet wants to find it. Raises OSError."""
    for root in roots(name):
        root.mkdir(exist_ok=True)
    if _UNIFIED.exists():
        available = _UNIFIED.read_text().split()
        for folder in (_ROOT, _ROOT / name):
            for controller in available:
                with contextlib.suppress(OSError):  # one that is in use elsewhere (v1 of a hybrid)
                    (folder / "cgroup.subtree_control").write_text(f"+{controller}\n")


def members(name: str) -> set[int]:
    """The processes in the cluster's groups."""
    found: set[int] = set()
    for group in _groups(name):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
    return found - {0}


def end(name: str, patience_s: float) -> int:
    """End all processes in the groups: asked first, then made to. Returns how many there were."""
    first = members(name)
    _signal(first, signal.SIGTERM)
    if not processes.wait_for(lambda: not members(name), patience_s):
        for _ in range(20):  # one may start another while it is looked at
            _signal(members(name), signal.SIGKILL)
            if processes.wait_for(lambda: not members(name), 0.5):
                break
    return len(first)


def remove(name: str) -> bool:
    """Remove the groups; whether all are gone (a killed process takes a moment to leave)."""
    return processes.wait_for(lambda: _removed(name), _PATIENCE_S)


def _removed(name: str) -> bool:
    for group in _groups(name):
        with contextlib.suppress(OSError):
            group.rmdir()
    return not any(root.exists() for root in roots(name))


def _groups(name: str) -> Iterator[Path]:
    """Every group, the deepest first."""
    for root in roots(name):
        for folder, _, _ in os.walk(root, topdown=False):
            yield Path(folder)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
