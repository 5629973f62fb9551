"""Reads the machine. Every function answers None (or empty) for what is not there; none raises."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS: Final = 5.0
_NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_TIME_ERROR: Final = 5  # adjtimex: the clock is not synchronised
_TIMEX_BYTES: Final = 512  # more than struct timex has on any platform


class Engine(Struct, frozen=True):
    """A Docker Engine that answers."""

    host: str
    version: str
    api: str
    storage: str
    cgroup: str


class Folder(Struct, frozen=True):
    """The data directory, or the nearest folder above it that is there."""

    path: Path
    exists: bool
    writable: bool
    mode: int
    owner: int
    free_bytes: int
    free_files: int | None  # None where the file system does not count them
    network: str  # the file system's type when it is one of the network


def program(name: str) -> str | None:
    """Where a program is, also where only root's PATH looks."""
    return shutil.which(name) or shutil.which(name, path=SEARCH)


def said(*words: str) -> str | None:
    """What a command prints, None when it fails or is not there."""
    found = program(words[0])
    if found is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 an argument list of our own, no shell
            [found, *words[1:]],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def version(text: str | None) -> tuple[int, ...]:
    """The first version number in a text, as numbers; empty when there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text or "")
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def git_backend() -> Path | None:
    """The program that serves Git over HTTP, part of git itself."""
    folder = said("git", "--exec-path")
    backend = Path(folder) / "git-http-backend" if folder else None
    return backend if backend and os.access(backend, os.X_OK) else None


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str) -> None:
        super().__init__("docker", timeout=_SECONDS)
        self._host = host

    def connect(self) -> None:
        if self._host.startswith("unix://"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(_SECONDS)
            self.sock.connect(self._host.removeprefix("unix://"))
        else:
            name, _, port = self._host.split("://", 1)[-1].partition(":")
            self.sock = socket.create_connection((name, int(port or 2375)), _SECONDS)


def engine(host: str) -> Engine | None:
    """The Docker Engine at an address."""
    try:
        with contextlib.closing(_Connection(host)) as connection:
            about = _get(connection, "/version")
            info = _get(connection, "/info")
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return Engine(
        host=host,
        version=str(about.get("Version", "")),
        api=str(about.get("ApiVersion", "")),
        storage=str(info.get("Driver", "")),
        cgroup=str(info.get("CgroupVersion", "")),
    )


def _get(connection: _Connection, path: str) -> dict[str, Any]:
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    return answer if isinstance(answer, dict) else {}


def refused_socket(host: str) -> bool:
    """Whether there is a socket at the address that we may not use."""
    path = Path(host.removeprefix("unix://"))
    return host.startswith("unix://") and path.exists() and not os.access(path, os.W_OK)


def folder(path: Path) -> Folder:
    """The data directory as it is, or what it would be made in."""
    near = next((one for one in (path, *path.parents) if one.exists()), Path("/"))
    stat, space = near.stat(), os.statvfs(near)
    return Folder(
        path=near,
        exists=near == path,
        writable=os.access(near, os.W_OK | os.X_OK),
        mode=stat.st_mode & 0o777,
        owner=stat.st_uid,
        free_bytes=space.f_bavail * space.f_frsize,
        free_files=space.f_favail if space.f_files else None,
        network=_network_file_system(near),
    )


def _network_file_system(path: Path) -> str:
    kinds: dict[Path, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, kind, *_ = line.split()
            kinds[Path(point.encode().decode("unicode_escape"))] = kind
    real = path.resolve()
    kind = next((kinds[one] for one in (real, *real.parents) if one in kinds), "")
    return kind if kind in _NETWORK_FILE_SYSTEMS else ""


def memory() -> int | None:
    """Memory that programs could still have, in bytes."""
    with contextlib.suppress(OSError):
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE
        )
        return int(found[1]) * 1024 if found else None
    return None


def is_port_free(port: int) -> bool:
    """Whether we could listen on a port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def is_clock_synchronised() -> bool | None:
    """What the kernel thinks of its own clock; None where it does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def certificates() -> str | None:
    """The bundle of certificate authorities that TLS clients here trust."""
    paths = ssl.get_default_verify_paths()
    usual = "/etc/ssl/certs/ca-certificates.crt"
    return next((one for one in (paths.cafile, usual) if one and Path(one).is_file()), None)


def postgres(url: str) -> int | str:
    """The server's version as a number (150004), or why it does not answer."""
    import psycopg  # noqa: PLC0415 only where PostgreSQL is used

    try:
        plain = re.sub(r"^postgresql\+\w+:", "postgresql:", url)
        with psycopg.connect(plain, connect_timeout=int(_SECONDS)) as connection:
            return connection.info.server_version
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0] if str(error).strip() else "it does not answer"


def has_apt() -> bool:
    """Whether Debian's package tool is here."""
    return program("apt-get") is not None
