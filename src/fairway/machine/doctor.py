"""Every check, in the order in which a person would mend things."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Final

from fairway.kit import clock
from fairway.machine import judge, look
from fairway.machine.check import Check, Health, Wanted

_ENGINE_PROGRAMS: Final = ("dockerd", "containerd", "iptables")


def run_checks(wanted: Wanted) -> list[Check]:
    """Look at everything. Blocks for some seconds at most; never raises for what it finds."""
    found = [_safely(name, check, wanted) for name, check in _CHECKS if _applies(name, wanted)]
    return found if look.has_apt() else [judge.elsewhere(check) for check in found]


def _applies(name: str, wanted: Wanted) -> bool:
    return name != "port" or wanted.port > 0


def _safely(name: str, check: Callable[[Wanted], Check], wanted: Wanted) -> Check:
    try:
        return check(wanted)
    except Exception as error:  # noqa: BLE001 one check that fails must not hide the others
        return Check(name, Health.WARN, f"could not look: {error}", "")


def _python(_wanted: Wanted) -> Check:
    return judge.python(tuple(sys.version_info[:3]))


def _git(_wanted: Wanted) -> Check:
    version = look.version(look.said("git", "--version"))
    return judge.git(version, backend=look.git_backend() is not None)


def _docker(wanted: Wanted) -> Check:
    for host in wanted.docker_hosts:
        engine = look.engine(host)
        if engine is not None:
            return judge.docker(engine, look.version(engine.version), look.version(engine.api))
    return judge.no_docker(
        wanted,
        root=os.geteuid() == 0,
        missing=tuple(name for name in _ENGINE_PROGRAMS if look.program(name) is None),
        refused=any(map(look.refused_socket, wanted.docker_hosts)),
    )


def _data(wanted: Wanted) -> Check:
    return judge.data(look.folder(wanted.data), wanted, os.geteuid())


def _disk(wanted: Wanted) -> Check:
    return judge.disk(look.folder(wanted.data), wanted)


def _memory(_wanted: Wanted) -> Check:
    return judge.memory(look.memory())


def _port(wanted: Wanted) -> Check:
    return judge.port(wanted, free=look.is_port_free(wanted.port))


def _clock(_wanted: Wanted) -> Check:
    return judge.clock(clock.seconds(), synchronised=look.is_clock_synchronised())


def _certificates(_wanted: Wanted) -> Check:
    return judge.certificates(look.certificates())


def _proxy(wanted: Wanted) -> Check:
    return judge.proxy(wanted.proxies)


def _database(wanted: Wanted) -> Check:
    if wanted.database_url.startswith("postgresql"):
        return judge.postgres(look.postgres(wanted.database_url))
    return judge.sqlite(sqlite3.sqlite_version_info)


_CHECKS: Final[tuple[tuple[str, Callable[[Wanted], Check]], ...]] = (
    ("python", _python),
    ("git", _git),
    ("docker", _docker),
    ("data", _data),
    ("disk", _disk),
    ("memory", _memory),
    ("database", _database),
    ("port", _port),
    ("clock", _clock),
    ("certificates", _certificates),
    ("proxy", _proxy),
)
