"""Debian packages: installed as root where apt is, otherwise the command that would do it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from fairwaydev.say import Failed, answer, detail, one_at_a_time, run, say

# What each part of the tests needs from Debian, by the name used on the command line.
NEEDS: dict[str, tuple[str, ...]] = {
    "docker": ("docker.io", "iptables", "busybox-static", "ca-certificates"),
    "postgres": ("postgresql",),
    "images": ("mmdebstrap",),
    "clients": ("git", "skopeo", "buildah", "docker-registry", "busybox-static"),
    "load": ("wrk",),  # benchmarks only
    "browser": ("chromium-headless-shell",),  # 60 MB; tests are skipped where it cannot be had
    "kubernetes": (
        "containerd",
        "runc",
        "containernetworking-plugins",
        "iptables",
        "conntrack",
        "iproute2",
        "busybox-static",
    ),
}

# Other packages bring these too, and Debian's would take their place (Docker's containerd.io).
_ANY_WILL_DO = {"containerd": "containerd", "runc": "runc"}

_state = {"updated": False}


def missing(packages: tuple[str, ...]) -> list[str]:
    """Those of `packages` that dpkg does not hold as installed."""
    packages = tuple(name for name in packages if not shutil.which(_ANY_WILL_DO.get(name, "")))
    if shutil.which("dpkg-query") is None:
        return [name for name in packages if shutil.which(_program(name)) is None]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    here = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name not in here]


def _program(package: str) -> str:
    known = {"docker.io": "dockerd", "postgresql": "pg_ctl", "busybox-static": "busybox"}
    return known.get(package, package)


def install(what: str, packages: tuple[str, ...]) -> None:
    """Have `packages` installed. Raises Failed with the exact commands when we may not."""
    absent = missing(packages)
    if not absent:
        return
    words = " ".join(absent)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(
            f"{what} needs {words}, which only the system's administrator can install.\n"
            f"  as root on Debian:  apt-get update && "
            f"apt-get install -y --no-install-recommends {words}\n"
            "  elsewhere: the same programs from your system's own packages"
        )
    with one_at_a_time("apt"):
        _install(what, missing(packages))  # another may have done some of it meanwhile


def _install(what: str, absent: list[str]) -> None:
    if not absent:
        return
    words = " ".join(absent)
    say(f"installing from Debian's packages, for {what}: {words}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if not _state["updated"]:
        detail("apt-get update")
        run(["apt-get", "-q", "update"], env=env, quiet=True)
        _state["updated"] = True
    detail(f"apt-get install {words}")
    run(["apt-get", "-q", "install", "-y", "--no-install-recommends", *absent], env=env, quiet=True)


def provide(part: str) -> None:
    """Have everything that a part of `NEEDS` names."""
    packages = NEEDS[part]
    if part == "images" and os.geteuid() != 0:
        packages = (*packages, "uidmap")  # mmdebstrap's way to unpack without root
    if part == "browser":
        _install_if_may(part, packages)
    else:
        install(part, packages)


def _install_if_may(part: str, packages: tuple[str, ...]) -> None:
    """For what tests do without: a test of it is skipped then."""
    if any(map(shutil.which, ("chromium", "chrome", "google-chrome"))):
        return
    try:
        install(part, packages)
    except Failed as error:
        detail(f"the tests of it are skipped: {error}")


def engine_answers() -> str:
    """The address of a Docker Engine that this user may use; "" when there is none.

    Asked without any program of Docker's: an Engine need not come from Debian's packages.
    """
    hosts = (os.environ.get("DOCKER_HOST", ""), "unix:///var/run/docker.sock")
    return next((host for host in hosts if _answers(host)), "")


def _answers(host: str) -> bool:
    try:
        with _dial(host) as pipe:
            pipe.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in pipe.recv(64)
    except (OSError, ValueError):
        return False


def _dial(host: str) -> socket.socket:
    """Raises OSError and ValueError."""
    kind, _, place = host.partition("://")
    if kind == "tcp":
        name, _, port = place.rpartition(":")
        return socket.create_connection((name, int(port)), 5)
    if kind != "unix":
        raise ValueError(host)
    pipe = socket.socket(socket.AF_UNIX)
    pipe.settimeout(5)
    try:
        pipe.connect(place)
    except OSError:
        pipe.close()
        raise
    return pipe


def have_venv(python: str) -> bool:
    """Whether this Python can make a virtual environment with pip in it."""
    return answer([python, "-c", "import venv, ensurepip"]) is not None
