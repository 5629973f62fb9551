"""Bridges of the kernel, made and removed without a program: `ip` is not on every machine."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Final

_NET: Final = Path("/proc/self/net/dev")  # /sys/class/net may show another namespace
_ADD_BRIDGE: Final = 0x89A0  # SIOCBRADDBR
_DELETE_BRIDGE: Final = 0x89A1  # SIOCBRDELBR
_GET_ADDRESS: Final = 0x8915  # SIOCGIFADDR
_SET_ADDRESS: Final = 0x8916  # SIOCSIFADDR
_SET_MASK: Final = 0x891C  # SIOCSIFNETMASK
_GET_FLAGS: Final = 0x8913  # SIOCGIFFLAGS
_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS
_UP: Final = 1


def addresses() -> dict[str, str]:
    """The interfaces of our network namespace and their IPv4 addresses ("" without one)."""
    lines = _NET.read_text().splitlines()[2:]
    return {name: address(name) for name in (line.partition(":")[0].strip() for line in lines)}


def address(name: str) -> str:
    """An interface's first IPv4 address, "" when it has none or is gone."""
    try:
        answer = _call(_GET_ADDRESS, struct.pack("16s24x", name.encode()))
    except OSError:
        return ""
    return socket.inet_ntoa(answer[20:24])


def make_bridge(name: str, gateway: str) -> None:
    """Have a bridge with this address (`10.1.2.1/24`), up. Raises OSError (not root)."""
    try:
        _call(_ADD_BRIDGE, name.encode() + b"\0")
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    own = IPv4Interface(gateway)
    if address(name) != str(own.ip):
        _call(_SET_ADDRESS, _with_address(name, str(own.ip)))
    _call(_SET_MASK, _with_address(name, str(own.netmask)))
    _set_up(name, up=True)


def remove_bridge(name: str) -> None:
    """Remove a bridge; one that is gone is no error."""
    try:
        _set_up(name, up=False)
        _call(_DELETE_BRIDGE, name.encode() + b"\0")
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ENODEV):
            raise


def _with_address(name: str, text: str) -> bytes:
    return struct.pack("16sHH4s16x", name.encode(), socket.AF_INET, 0, socket.inet_aton(text))


def _set_up(name: str, *, up: bool) -> None:
    answer = _call(_GET_FLAGS, struct.pack("16sH22x", name.encode(), 0))
    (flags,) = struct.unpack_from("H", answer, 16)
    wanted = flags | _UP if up else flags & ~_UP
    _call(_SET_FLAGS, struct.pack("16sH22x", name.encode(), wanted))


def _call(request: int, argument: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        return fcntl.ioctl(control.fileno(), request, argument)
