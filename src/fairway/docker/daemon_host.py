"""What an Engine of our own needs done on its host: programs, packages, iptables, processes."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fairway.docker import firewall
from fairway.docker.daemon_files import State
from fairway.kit import processes
from fairway.model.errors import Unavailable

PACKAGES: Final = ("docker.io", "iptables")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CGROUPS: Final = Path("/sys/fs/cgroup")
_PROGRAMS: Final = ("dockerd", "containerd", "iptables")
_INSTALL_SECONDS: Final = 900.0
_log = logging.getLogger(__name__)


def may_install() -> bool:
    """Whether we are root on a system with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get", path=_PATH) is not None


def missing_programs() -> list[str]:
    """The programs of an Engine that are not here."""
    return [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]


def _as_root() -> str:
    """The commands that give a user an Engine; docker.io starts its daemon where it can."""
    missing = missing_programs()
    install = f"apt-get update && apt-get install -y {' '.join(PACKAGES)} && " if missing else ""
    user = "$USER"
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    return f"as root: {install}service docker start && usermod -aG docker {user}; then log in anew"


def programs() -> dict[str, str]:
    """Where the programs of an Engine are.

    Raises Unavailable: not root, or programs are missing; retrying does not help.
    """
    if os.geteuid() != 0:
        raise Unavailable(
            "no Docker Engine answers, and only root can start one",
            code="docker-needs-root",
            remedy=_as_root(),
        )
    if missing := missing_programs():
        raise Unavailable(
            f"{', '.join(missing)}: not installed",
            code="docker-missing",
            remedy=f"apt-get update && apt-get install -y {' '.join(PACKAGES)}",
        )
    return {name: shutil.which(name, path=_PATH) or name for name in _PROGRAMS}


def apt_get(words: Sequence[str]) -> None:
    """Run apt-get without questions. Raises Unavailable when it fails; may be retried."""
    done = subprocess.run(  # noqa: S603 an argument list of our own, no shell
        ["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_SECONDS,
    )
    if done.returncode:
        raise Unavailable(
            f"apt-get {' '.join(words)} failed: {done.stderr.strip() or done.stdout.strip()}",
            code="docker-not-installed",
            remedy="mend what it names and try again, or install Docker any other way",
        )


def text(path: Path) -> str:
    """A file, "" when it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _run(program: str, *words: str) -> str:
    found = shutil.which(program, path=_PATH)
    if found is None:
        return ""
    done = subprocess.run(  # noqa: S603 an argument list of our own, no shell
        [found, *words], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode:
        _log.warning("%s %s: %s", program, " ".join(words), done.stderr.strip())
    return done.stdout


def rules() -> firewall.Rules:
    """What is in iptables now."""
    return firewall.parse(_run("iptables-save"))


def iptables(command: firewall.Command) -> None:
    """Change iptables."""
    _run("iptables", "-w", *command)


def other_daemons(state: State) -> bool:
    """Whether a dockerd that is not ours shares our iptables."""
    own = state.dockerd.pid if state.dockerd else -1
    return any(
        Path(words[0]).name == "dockerd" and pid != own and processes.same_network(pid)
        for pid, words in processes.everything()
        if words
    )


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    listed = text(Path(f"/proc/{pid}/task/{pid}/children"))
    return [int(word) for word in listed.split()]


def remove_cgroups(container: str) -> None:
    """A shim that was killed leaves its container's control groups; empty ones can be removed."""
    processes.wait_for(lambda: not _rmdir(container), 5.0)


def _rmdir(container: str) -> bool:
    """Whether groups of the container are left (a killed process takes a moment to leave)."""
    left = False
    for pattern in (f"docker/{container}", f"system.slice/docker-{container}.scope"):
        for group in [*_CGROUPS.glob(pattern), *_CGROUPS.glob(f"*/{pattern}")]:
            with contextlib.suppress(OSError):
                group.rmdir()
            left = left or group.exists()
    return left


def kill(pid: int) -> None:
    """End a process at once; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
