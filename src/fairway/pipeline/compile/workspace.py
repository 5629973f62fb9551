"""Where the repository lies in each container."""

from __future__ import annotations

import posixpath
from typing import Final

from msgspec import Struct

DEFAULT: Final = "/drone/src"
_EXACT: Final = frozenset({"/", "/usr", "/var", "/mnt", "/media", "/mount", "/root"})
_BELOW: Final = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/var/run",
)


class Workspace(Struct, frozen=True):
    """`base` is mounted, `full` is where commands run; `path` is what the file says below base."""

    base: str
    path: str
    full: str


def is_restricted(path: str) -> bool:
    """Whether a path belongs to the system, so that no workspace may lie over it."""
    path = posixpath.normpath(f"/{path}".replace("//", "/")).lower()
    return path in _EXACT or any(path == root or path.startswith(f"{root}/") for root in _BELOW)


def workspace(base: str, path: str) -> Workspace:
    """By Drone's rules: an absolute path alone is the base, a system path becomes the default."""
    if not base and path.startswith("/"):
        base, path = path, ""
    if not base or is_restricted(base):
        base = DEFAULT
    full = posixpath.normpath(posixpath.join(base, path.lstrip("/"))) if path else base
    return Workspace(base, path, full)
