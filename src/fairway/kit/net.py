"""Addresses as people write them."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from typing import Final

_FIRST: Final = 20_000
_LAST: Final = 29_999
_TRIES: Final = 100
_given: set[int] = set()


def endpoint(address: str, port: int) -> tuple[str, int]:
    """Host and port of HOST[:PORT], IPV6 or [IPV6]:PORT; `port` where none is said."""
    host, colon, said = address.rpartition(":")
    if not (colon and said.isdigit()) or (":" in host and not host.endswith("]")):
        host, said = address, str(port)
    return host.removeprefix("[").removesuffix("]"), int(said)


def is_loopback(address: str) -> bool:
    """Whether HOST[:PORT] means this machine to whoever reads it."""
    host, _port = endpoint(address, 0)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_link_local(host: str, port: int) -> bool:
    """Whether a name stands for a link-local address, where clouds keep keys. Blocks; OSError for
    a name that nobody knows.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = (str(place[0]).partition("%")[0] for *_, place in found)
    return any(ipaddress.ip_address(address).is_link_local for address in addresses)


def free_port() -> int:
    """A port that was free on all addresses a moment ago; a process is given none twice.

    It is none of those from which the system takes the ports of outgoing connections (those that
    binding to port 0 gives too): one of these would be taken by somebody else's connection before
    it is listened on, or while its server is away.
    """
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
