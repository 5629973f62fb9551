"""The narrow way to an API server: a request and its answer, a stream, a websocket.

The client above knows Kubernetes and no sockets; what is below knows sockets and no Kubernetes. The
simulated API is a `Transport` as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct, field


class Request(Struct, frozen=True, kw_only=True):
    """One request. `query` in order, as a name may come more than once; header names lower-case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: tuple[tuple[str, str], ...] = ()  # headers whose name comes more than once
    body: bytes = b""


class Response(Struct, frozen=True):
    """A whole answer; header names lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream(Protocol):
    """An answer that is read as it comes."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Pieces of the body. Raises `KubeUnavailable` when it is cut; a proper end just ends."""
        ...


class WebSocket(Protocol):
    """A websocket that carries binary messages."""

    protocol: str  # the subprotocol that the server chose

    async def send(self, data: bytes) -> None:
        """Send one message. Raises `KubeUnavailable` once the connection is gone."""
        ...

    async def receive(self) -> bytes | None:
        """The next message; None after a proper end. Raises `KubeUnavailable` for a cut."""
        ...


class Transport(Protocol):
    """A way to one API server, for many tasks at once. Deadlines are the caller's."""

    server: str  # for messages

    async def send(self, request: Request) -> Response:
        """Send and wait for the whole answer, whatever its status.

        Raises `KubeUnavailable` when there is none.
        """
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        """Send and read the answer's body inside the block. Raises `KubeUnavailable`."""
        ...

    def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Open a websocket that speaks one of `protocols`; closed with the block.

        Raises what `errors.refused` makes of another answer, or `KubeUnavailable`.
        """
        ...

    async def close(self) -> None:
        """Drop every connection. Calls under way fail."""
        ...
