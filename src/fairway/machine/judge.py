"""Opinions about what was seen. Pure; the least versions are those that our tests run on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fairway.machine.check import Check, Health, Wanted
from fairway.machine.look import Engine, Folder

PYTHON: Final = (3, 11)
GIT: Final = (2, 30)
DOCKER: Final = (20, 10)
SQLITE: Final = (3, 35)
POSTGRES: Final = 150000
_API: Final = (1, 39)  # the first whose build call takes BuildKit
_MEMORY: Final = 1024**3
_FILES: Final = 100_000
_GIB: Final = 1024**3
_OLDEST: Final = 1_760_000_000  # October 2025: no correct clock shows less

Version = tuple[int, ...]


def apt(*packages: str) -> str:
    """The command that installs packages."""
    return f"apt-get update && apt-get install -y {' '.join(packages)}"


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def elsewhere(check: Check) -> Check:
    """The same where there is no apt: the packages' names are the best that can be said."""
    packages = check.mend.partition("install -y ")[2]
    if not packages:
        return check
    return Check(check.name, check.health, check.found, f"with your package tool: {packages}")


def python(version: Version) -> Check:
    """Python itself."""
    if version >= PYTHON:
        return Check("python", Health.OK, _text(version))
    return Check("python", Health.OLD, _text(version), f"install Python {_text(PYTHON)} or later")


def git(version: Version, *, backend: bool) -> Check:
    """Git, and the program in it that serves HTTP."""
    if not version:
        return Check("git", Health.MISSING, "not installed", apt("git"))
    if version < GIT:
        mend = f"install git {_text(GIT)} or later"
        return Check("git", Health.OLD, _text(version), mend)
    if not backend:
        found = f"{_text(version)}, without git-http-backend, which serves clone and push"
        return Check("git", Health.MISSING, found, apt("git"))
    return Check("git", Health.OK, f"{_text(version)} with git-http-backend")


def docker(engine: Engine, version: Version, api: Version) -> Check:
    """A Docker Engine that answers."""
    found = f"{engine.version} at {engine.host}, storage {engine.storage}"
    if version and version < DOCKER:
        return Check("docker", Health.OLD, found, f"install Docker {_text(DOCKER)} or later")
    if engine.storage == "vfs":
        mend = "put Docker's data on ext4 or xfs: vfs copies every layer of every container"
        return Check("docker", Health.WARN, found, mend)
    if api and api < _API:
        mend = "images are built by the classic builder; a newer Docker has BuildKit"
        return Check("docker", Health.WARN, found, mend)
    return Check("docker", Health.OK, found + ", BuildKit")


def no_docker(wanted: Wanted, *, root: bool, missing: tuple[str, ...], refused: bool) -> Check:
    """No Engine answers: may we start one, and could we?"""
    hosts = ", ".join(wanted.docker_hosts) or "any address"
    if refused:
        mend = "usermod -aG docker $USER (as root), then log in again"
        return Check("docker", Health.MISSING, f"no right to use the socket at {hosts}", mend)
    if not wanted.may_start_docker:
        mend = "start Docker, or set DOCKER_HOST to an Engine"
        return Check("docker", Health.MISSING, f"none answers at {hosts}", mend)
    if missing:
        found = f"none answers at {hosts}; {', '.join(missing)} not installed"
        return Check("docker", Health.MISSING, found, apt("docker.io", "iptables"))
    if not root:
        mend = "start Docker as root, or run `fairway up` as root: it starts an Engine of its own"
        return Check("docker", Health.MISSING, f"none answers at {hosts}", mend)
    return Check("docker", Health.OK, "none answers; `fairway up` starts one of its own")


def disk(folder: Folder, wanted: Wanted) -> Check:
    """Space where the data lies."""
    found = f"{folder.free_bytes / _GIB:.1f} GiB free at {folder.path}"
    if folder.free_bytes < wanted.free_bytes:
        mend = f"free space: below {wanted.free_bytes / _GIB:.1f} GiB new builds wait"
        return Check("disk", Health.WARN, found, mend)
    if folder.free_files is not None and folder.free_files < _FILES:
        mend = "free inodes: remove small files, or use another file system"
        return Check("disk", Health.WARN, f"{folder.free_files} files can be made", mend)
    return Check("disk", Health.OK, found)


def data(folder: Folder, wanted: Wanted, user: int) -> Check:
    """The data directory: ours, closed to others, and not on a network's file system."""
    where = str(wanted.data)
    if not folder.writable:
        mend = f"mkdir -p {where} && chown $USER {where} (as root), or --data another folder"
        return Check("data", Health.MISSING, f"{folder.path} cannot be written", mend)
    if folder.network and not wanted.database_url.startswith("postgres"):
        mend = "use a local disk (--data) or PostgreSQL: SQLite needs a file system of this machine"
        return Check("data", Health.WARN, f"{where} is on {folder.network}", mend)
    if folder.exists and folder.owner != user:
        return Check(
            "data", Health.WARN, f"{where} belongs to another user", f"chown -R $USER {where}"
        )
    if folder.exists and folder.mode & 0o006:
        return Check("data", Health.WARN, f"{where} is open to every user", f"chmod o-rw {where}")
    return Check("data", Health.OK, where if folder.exists else f"{where} will be made")


def memory(available: int | None) -> Check:
    """Memory."""
    if available is None:
        return Check("memory", Health.WARN, "this system does not say", "")
    found = f"{available / _GIB:.1f} GiB available"
    if available < _MEMORY:
        return Check("memory", Health.WARN, found, "give the machine 1 GiB or more for builds")
    return Check("memory", Health.OK, found)


def port(wanted: Wanted, *, free: bool) -> Check:
    """The port to listen on."""
    if wanted.is_running:
        return Check("port", Health.OK, f"{wanted.port}: Fairway answers there")
    if free:
        return Check("port", Health.OK, f"{wanted.port} is free")
    mend = f"see who has it (ss -ltnp 'sport = :{wanted.port}'), or --port another"
    return Check("port", Health.MISSING, f"{wanted.port} is in use", mend)


def clock(seconds: float, *, synchronised: bool | None) -> Check:
    """The time of day: tokens, certificates and cron depend on it."""
    if seconds < _OLDEST:
        return Check("clock", Health.WARN, "it is years slow", "timedatectl set-ntp true")
    if synchronised is False:
        mend = apt("systemd-timesyncd") + ", or any other time service"
        return Check("clock", Health.WARN, "nothing keeps it right", mend)
    return Check("clock", Health.OK, "synchronised" if synchronised else "plausible")


def certificates(bundle: str | None) -> Check:
    """The authorities that clones and pulls over HTTPS trust."""
    if bundle is None:
        return Check("certificates", Health.MISSING, "no bundle", apt("ca-certificates"))
    return Check("certificates", Health.OK, bundle)


def proxy(proxies: Mapping[str, str]) -> Check:
    """Proxies of the environment: our own addresses must not go through them."""
    given = {name.upper(): value for name, value in proxies.items() if value}
    shown = ", ".join(f"{name}={_without_password(value)}" for name, value in sorted(given.items()))
    if not {"HTTP_PROXY", "HTTPS_PROXY"} & set(given):
        return Check("proxy", Health.OK, "none")
    exempt = re.split(r"[,\s]+", given.get("NO_PROXY", ""))
    if "*" in exempt or "127.0.0.1" in exempt:
        return Check("proxy", Health.OK, shown)
    mend = f"export NO_PROXY={','.join(filter(None, [*exempt, '127.0.0.1', 'localhost']))}"
    return Check("proxy", Health.WARN, shown, mend)


def _without_password(address: str) -> str:
    return re.sub(r"//[^@/]*@", "//***@", address)


def sqlite(version: Version) -> Check:
    """SQLite, part of Python."""
    if version < SQLITE:
        return Check("database", Health.OLD, f"SQLite {_text(version)}", "use a newer Python")
    return Check("database", Health.OK, f"SQLite {_text(version)}")


def postgres(answer: int | str) -> Check:
    """PostgreSQL: its version as a number, or why it does not answer."""
    if isinstance(answer, str):
        mend = "look at the server, and at the database URL in the settings"
        return Check("database", Health.MISSING, f"PostgreSQL: {answer}", mend)
    found = f"PostgreSQL {answer // 10000}.{answer % 10000}"
    if answer < POSTGRES:
        return Check("database", Health.OLD, found, f"use PostgreSQL {POSTGRES // 10000} or later")
    return Check("database", Health.OK, found)
