"""Connections whose beginning is never cut off in the middle.

A call that is cancelled between TCP's handshake and TLS's leaves an open socket, and a connection
that nobody knows: asyncio closes only what has begun its handshake. So a connection is made to its
end, also for a call that is gone, and dropped then.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

_LEFT_S: Final = 1.0  # for connections that are still being made for nobody


class Connector(aiohttp.TCPConnector):
    """As aiohttp's."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._left: set[asyncio.Task[ResponseHandler]] = set()  # made for nobody

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        making = asyncio.get_running_loop().create_task(
            super()._create_connection(req, traces, timeout)
        )
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._left.add(making)
            making.add_done_callback(self._drop)
            raise

    def _drop(self, made: asyncio.Task[ResponseHandler]) -> None:
        self._left.discard(made)
        if not made.cancelled() and made.exception() is None:
            made.result().abort()

    async def end(self) -> None:
        """Wait for what is made for nobody, then cut it off; what was dropped is closed then."""
        if left := set(self._left):
            _made, slow = await asyncio.wait(left, timeout=_LEFT_S)
            for one in slow:
                one.cancel()
            if slow:
                await asyncio.wait(slow)
        await asyncio.sleep(0)
