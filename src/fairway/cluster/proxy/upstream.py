"""The connection to a cluster's API server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Final

import h11

from fairway.cluster.target import Target, tls_context
from fairway.kit.aio import blocking
from fairway.model.errors import Unavailable

_CONNECT_S: Final = 10.0
_READ: Final = 64 * 1024
_LONGEST: Final = 256 * 1024  # the head of an answer


class Upstream:
    """One connection, used for one request after the other."""

    def __init__(
        self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.target = target
        self.reader, self.writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST)

    def reusable(self) -> bool:
        """Whether another request may follow on it."""
        return (
            self._http.our_state is h11.DONE
            and self._http.their_state is h11.DONE
            and not self.reader.at_eof()
        )

    def next(self) -> None:
        """Begin another request."""
        self._http.start_next_cycle()

    async def send(self, event: Any) -> None:
        """Send a part of a request."""
        if (data := self._http.send(event)) is not None:
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def event(self) -> Any:
        """The next part of the answer."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self.reader.read(_READ)
            self._http.receive_data(data)
        return event

    def trailing(self) -> bytes:
        """What came behind the head of an upgrade."""
        data, _ = self._http.trailing_data
        return data

    async def close(self) -> None:
        """End it."""
        self.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self.writer.wait_closed()


async def connect(target: Target, cluster: str) -> Upstream:
    """Raises `Unavailable` (code `cluster-unavailable`), retriable."""
    context = await blocking(tls_context, target, cluster)
    try:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(
                target.host,
                target.port,
                ssl=context,
                server_hostname=(target.server_name or target.host) if context else None,
            )
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            f"the cluster {cluster} at {target.server} does not answer: {reason(error)}",
            code="cluster-unavailable",
            remedy="`fairway get components` and `fairway get clusters` say more",
        ) from error
    return Upstream(target, reader, writer)


def reason(error: Exception) -> str:
    """Why a connection failed, in words."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"no connection within {_CONNECT_S:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    return str(error) or type(error).__name__
