"""Listens for kubectl and helm: TLS, since they send a token by nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from typing import Final

from fairway.cluster.proxy.gate import Gate
from fairway.cluster.proxy.relay import Relay

_MOST: Final = 1024  # connections at once
_HANDSHAKE_S: Final = 10.0
_log = logging.getLogger(__name__)


class Listener:
    """Every connection is a task of ours that ends with us."""

    def __init__(self, gate: Gate, context: ssl.SSLContext) -> None:
        self._gate = gate
        self._context = context
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, addresses: Sequence[tuple[str, int]], ready: asyncio.Event) -> None:
        """Listen until cancelled. Raises `OSError` for an address that cannot be bound."""
        async with contextlib.AsyncExitStack() as stack:
            for host, port in addresses:
                server = await asyncio.start_server(
                    self._accepted,
                    host,
                    port,
                    ssl=self._context,
                    ssl_handshake_timeout=_HANDSHAKE_S,
                )
                stack.push_async_callback(self._end, server)
            ready.set()
            await asyncio.get_running_loop().create_future()

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=2)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 the server made one for this connection
        if len(self._open) >= _MOST:
            writer.close()
            return
        self._open.add(task)
        try:
            await Relay(self._gate, reader, writer).run()
        except asyncio.CancelledError:
            _log.debug("a connection to a cluster ends with us")
        except Exception:  # noqa: BLE001 one connection's defect ends no other
            _log.exception("a connection to a cluster failed")
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await writer.wait_closed()
