"""What settings say of this machine: what runs here, where it answers, and how it is ended.

Little is imported for it: `fairway up` and `down` need no more, and a server's parts are many.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fairway.cluster import host as machine
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.envoy.process import NAME
from fairway.kit.processes import is_alive
from fairway.model.errors import Unavailable
from fairway.native import programs
from fairway.native.server import Server
from fairway.settings import Settings, in_cluster
from fairway.supervise import records

LOOPBACK: Final = "127.0.0.1"

Say = Callable[[str], None]


def token_file(data: Path) -> Path:
    """Where the first start leaves the admin's token (mode 0600)."""
    return data / "keys" / "admin-token"


def wanted_here(settings: Settings) -> bool:
    """Whether this process keeps embedded clusters: by its roles and what it was told."""
    if "controllers" not in settings.roles or settings.cluster.embedded == "off":
        return False
    return not (settings.cluster.kubeconfig and settings.cluster.embedded == "auto")


def obstacle(settings: Settings) -> Unavailable | None:
    """What keeps this machine from embedding a cluster that it shall have, and a start does not
    mend by itself; None when there is nothing. Blocks.
    """
    found = machine.obstacle() if wanted_here(settings) else None
    mendable = (
        found is not None and found.code == "cluster-programs-missing" and machine.may_install()
    )
    return None if mendable else found


def has_gateway(settings: Settings) -> bool:
    """Whether this process runs a gateway: by its roles, and where there is a cluster for it."""
    if "gateway" not in settings.roles or settings.gateway.enabled == "off":
        return False
    if settings.gateway.enabled == "on":
        return True
    return embedded_here(settings) or bool(settings.cluster.kubeconfig) or in_cluster() is not None


def embedded_here(settings: Settings) -> bool:
    """Whether the cluster is the embedded one, which another process of this machine may keep."""
    if in_cluster() is not None and settings.roles == ("gateway",):
        return False
    return wanted_here(settings) or (
        settings.cluster.embedded != "off" and not settings.cluster.kubeconfig
    )


def check_ports(settings: Settings) -> None:
    """Raise `Unavailable` (code `port-taken`) where our own Gateway's ports are somebody else's.

    Envoy shares ports with other processes of the same user: it would not notice.
    """
    given = settings.gateway
    for host in (LOOPBACK, *given.listen):
        for name, port in (("http_port", given.http_port), ("https_port", given.https_port)):
            _probe(host, port, name)


def _probe(host: str, port: int, name: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise Unavailable(
                f"the gateway cannot listen on {host}:{port}: {error.strerror}",
                code="port-taken" if taken else "address-unusable",
                remedy=f"choose another by gateway.{name}, or end the program that holds it"
                f" (`ss -ltnp 'sport = :{port}'`)",
            ) from error


def address(settings: Settings) -> str:
    """Where the services of the cluster are reached by name; "" without a gateway."""
    if not has_gateway(settings):
        return ""
    return f"http://NAME.localhost:{settings.gateway.http_port}"


def port_problem(settings: Settings) -> str:
    """Why services cannot be reached on this machine; "" when nothing is known to be in the way."""
    record = records.read(settings.data.absolute() / "gateway" / "run", NAME)
    if not has_gateway(settings) or (record is not None and is_alive(record.process)):
        return ""
    try:
        check_ports(settings)
    except Unavailable as error:
        return f"{error.message} ({error.remedy})"
    return ""


def end_gateway(data: Path, say: Say) -> None:
    """End Envoy. Blocks."""
    folder = Folder(data.absolute() / "gateway")
    if records.stop_all(folder.root / "run"):
        say("stopped the gateway (Envoy)")
    folder.admin.unlink(missing_ok=True)
    if folder.admin.parent != folder.root:
        shutil.rmtree(folder.admin.parent, ignore_errors=True)


def toolbox_server(settings: Settings) -> Server:
    """Its process, which outlives us until `fairway down`."""

    def find() -> Path:
        return programs.find(settings.native.dir).native

    return Server(settings.data.absolute() / "toolbox", find)
