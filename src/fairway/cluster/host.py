"""What an embedded cluster needs of its machine, and commands run there. These block."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from fairway.model.errors import Unavailable

PACKAGES: Final = (
    "containerd", "runc", "containernetworking-plugins", "iptables", "iproute2",
)  # fmt: skip
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS: Final = (
    "containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "iptables", "iptables-save",
    "iptables-restore", "nsenter", "unshare",
)  # fmt: skip
_CNI_FOLDERS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
_CNI_PLUGINS: Final = ("ptp", "host-local", "portmap", "loopback")
_SECONDS: Final = 30.0
_INSTALL_S: Final = 900.0
INSTEAD: Final = "or use an existing Kubernetes: `fairway up --kubeconfig FILE`"


class Programs(Struct, frozen=True):
    """Where the machine's own programs are."""

    paths: dict[str, str]
    cni: Path

    def __getitem__(self, name: str) -> str:
        return self.paths[name]


def obstacle() -> Unavailable | None:
    """Why no cluster can be embedded here, with the command that mends it; None when it can."""
    if sys.platform != "linux":
        return Unavailable(
            "an embedded cluster needs Linux",
            code="cluster-needs-linux",
            remedy="use an existing Kubernetes: `fairway up --kubeconfig FILE`",
        )
    if os.geteuid() != 0:
        return Unavailable(
            "only root can start an embedded cluster",
            code="cluster-needs-root",
            remedy=f"start Fairway as root, {INSTEAD}",
        )
    missing = missing_programs()
    if missing:
        packages = " ".join(PACKAGES)
        return Unavailable(
            f"an embedded cluster needs {', '.join(missing)}: not installed",
            code="cluster-programs-missing",
            remedy=f"apt-get update && apt-get install -y {packages}; {INSTEAD}",
        )
    return None


def missing_programs() -> list[str]:
    """The programs and CNI plugins of an embedded cluster that are not here."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if cni_folder() is None:
        missing.append("CNI plugins")
    return missing


def cni_folder() -> Path | None:
    """The folder that has every CNI plugin that we use."""
    for folder in _CNI_FOLDERS:
        if all((folder / name).exists() for name in _CNI_PLUGINS):
            return folder
    return None


def programs() -> Programs:
    """Where the programs are. Raises Unavailable with what keeps a cluster from running here."""
    found = obstacle()
    folder = cni_folder()
    if found is not None or folder is None:
        raise found or Unavailable("no CNI plugins", code="cluster-programs-missing")
    paths = {name: shutil.which(name, path=_PATH) or name for name in _PROGRAMS}
    return Programs(paths=paths, cni=folder)


def run(*command: str, given: str | None = None, seconds: float = _SECONDS) -> str:
    """Run a command of the machine; what it prints.

    Raises Unavailable (`cluster-command-failed`) with what it said; may be retried.
    """
    try:
        done = subprocess.run(  # noqa: S603 an argument list of our own, no shell
            command,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(command, str(error)) from error
    if done.returncode:
        raise _failed(command, done.stderr.strip() or f"exit status {done.returncode}")
    return done.stdout


def said(*command: str) -> str:
    """What a command prints on both its outputs, however it ends; "" when it cannot be run."""
    try:
        done = subprocess.run(  # noqa: S603 an argument list of our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def may_install() -> bool:
    """Whether we are root on a system with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get", path=_PATH) is not None


def install(say: Callable[[str], None]) -> bool:
    """As root where apt is: have Debian's packages; whether they were installed.

    Raises Unavailable (`cluster-command-failed`); may be retried.
    """
    if not may_install():
        return False
    say(f"installing {' '.join(PACKAGES)} from Debian's packages for the cluster")
    quiet = ("/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q")
    for words in (("update",), ("install", "-y", "--no-install-recommends", *PACKAGES)):
        run(*quiet, *words, seconds=_INSTALL_S)
    return True


def attempt(*command: str) -> bool:
    """Run a command whose failure is an answer too."""
    try:
        run(*command)
    except Unavailable:
        return False
    return True


def _failed(command: tuple[str, ...], said: str) -> Unavailable:
    return Unavailable(
        f"`{' '.join(command)}` failed: {said}",
        code="cluster-command-failed",
        remedy="`fairway doctor` checks what the cluster needs of this machine",
    )


def text(path: Path) -> str:
    """A file, "" when it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
