"""Where kubectl and helm reach clusters through Fairway: a TLS port besides HTTP's own.

They send a token by TLS only, so that HTTP's port on loopback cannot serve them. The port is chosen
at the first start unless it is set, and kept: kubeconfigs name it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fairway.cluster.proxy.certificate import Certificate
from fairway.cluster.proxy.gate import PREFIX, Gate
from fairway.cluster.proxy.listener import Listener
from fairway.kit.aio import blocking
from fairway.kit.net import endpoint, free_port
from fairway.model.errors import Unavailable
from fairway.settings import Settings

_LOOPBACK: Final = "127.0.0.1"
_LOOK_S: Final = 12 * 3600.0
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 names what is no one address
_log = logging.getLogger(__name__)


class Door:
    """The port, its certificate, and what a kubeconfig needs to know of them."""

    def __init__(self, settings: Settings, *, bridge: str = "") -> None:
        self._settings = settings
        self._port_file = settings.data / "run" / "kubernetes-port"
        self._hosts = _hosts(settings, bridge)
        outside = urlsplit(settings.http.external_url).hostname if settings.http.listen else None
        self._shown = outside or _LOOPBACK
        names = {*self._hosts, self._shown, _LOOPBACK, "localhost"} - _ANY
        self._certificate = Certificate(settings.data / "keys" / "kubernetes", tuple(names))
        self._port = 0

    def address(self, cluster: str) -> str:
        """The server that a kubeconfig names. Raises `Unavailable` before it listens."""
        if not self._port:
            raise _closed()
        return f"https://{self._shown}:{self._port}{PREFIX}{cluster}"

    async def authority(self) -> str:
        """The PEM that a kubeconfig trusts. Raises `Unavailable` before it listens."""
        if not self._port:
            raise _closed()
        return await blocking(self._certificate.authority)

    async def run(self, gate: Gate) -> None:
        """Listen until cancelled. Raises `Unavailable` (code `port-taken`)."""
        await blocking(self._certificate.ensure)
        context = await blocking(self._certificate.context)
        port = await blocking(self._choose)
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            listener = Listener(gate, context)
            addresses = [(host, port) for host in self._hosts]
            group.create_task(listener.run(addresses, ready), name="kubernetes door")
            await ready.wait()
            self._port = port
            _log.info("clusters answer at %s", self.address(""))
            while True:
                await asyncio.sleep(_LOOK_S)
                if await blocking(self._certificate.ensure):
                    await blocking(self._certificate.load_into, context)

    def _choose(self) -> int:
        """The port of the settings, the one of last time, or a free one."""
        if given := self._settings.cluster.port:
            if not self._is_free(given):
                raise Unavailable(
                    f"the port {given} for clusters is taken",
                    code="port-taken",
                    remedy="choose another: `port` below [cluster] in fairway.toml, or 0",
                )
            return given
        kept = _read_port(self._port_file)
        if kept and self._is_free(kept):
            return kept
        if kept:
            _log.warning(
                "the port %d for clusters is taken: kubeconfigs must be written anew", kept
            )
        port = free_port()
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(f"{port}\n", encoding="ascii")
        return port

    def _is_free(self, port: int) -> bool:
        return all(_can_bind(host, port) for host in self._hosts)


def _hosts(settings: Settings, bridge: str) -> list[str]:
    found = [_LOOPBACK, *([bridge] if bridge else [])]
    found += [endpoint(text, 0)[0] for text in settings.http.listen]
    if _ANY & set(found):
        found = [host for host in found if host in _ANY]
    return [*dict.fromkeys(found)]


def _read_port(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return 0


def _can_bind(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _closed() -> Unavailable:
    return Unavailable(
        "this process does not serve clusters' addresses yet",
        code="door-closed",
        remedy="ask again in a moment; `fairway doctor` says what is missing",
    )
