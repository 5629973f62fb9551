"""A way to a simulated cluster, and what goes wrong on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from fairway.kube.errors import unavailable
from fairway.kube.transport import Request, Response, WebSocket
from fairway.testing.kubefaults import Cut, Fault, Faults, spoiled, status_body
from fairway.testing.simkube.refusing import Refused
from fairway.testing.simkube.requests import bare, carry_out, watched
from fairway.testing.simkube.server import SimApi


class Weather(Struct):
    """What goes wrong by chance. Seeded; chances are of each request.

    `latency` is in seconds, half of it before the request is carried out. `lost`: a write happens
    and its answer does not come. While `parted` nothing gets through, and watches are cut.
    """

    latency: tuple[float, float] = (0.0, 0.0)
    failures: float = 0.0
    conflicts: float = 0.0
    lost: float = 0.0
    parted: bool = False


class SimTransport:
    """A `Transport` to a simulated cluster."""

    def __init__(
        self,
        api: SimApi,
        *,
        faults: Faults | None = None,
        weather: Weather | None = None,
        source: random.Random | None = None,
    ) -> None:
        self.api = api
        self.server = f"https://{api.name}.invalid"
        self.faults = faults or Faults()
        self.weather = weather or Weather()
        self._random = source or random.Random(0)  # noqa: S311 seeded

    async def send(self, request: Request) -> Response:
        """One request; a fault in the body makes it one that was cut."""
        async with self.stream(request) as stream:
            parts = [part async for part in stream.chunks()]
        return Response(stream.status, stream.headers, b"".join(parts))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[_Stream]:
        """One request, read as it comes."""
        await self._travel()
        fault = self.faults.take(request)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
        yield await self._answered(request, fault)

    async def _answered(self, request: Request, fault: Fault | None) -> _Stream:
        if fault is not None and fault.status:
            after = fault.retry_after
            headers = {} if after is None else {"retry-after": str(after)}
            body = _once(status_body(fault.status, after))
            return _Stream(self, fault.status, headers, body)
        opened = await self._opened(request)
        if fault is not None:
            opened.body = spoiled(opened.body, fault)
        return opened

    async def _opened(self, request: Request) -> _Stream:
        query = dict(request.query)
        if query.get("watch") == "true":
            return self._watch(request, query)
        status = self._chance(request)
        if status:
            return _Stream(self, status, {}, _once(status_body(status)))
        answer = carry_out(self.api, request)
        await self._travel()
        if request.method != "GET" and self._random.random() < self.weather.lost:
            raise unavailable(self.server, "the connection broke before the answer")
        return _Stream(self, answer.status, answer.headers, _once(answer.body))

    def _watch(self, request: Request, query: Mapping[str, str]) -> _Stream:
        try:
            wanted = watched(self.api, request)
        except Refused as error:
            said = error.response()
            return _Stream(self, said.status, said.headers, _once(said.body))
        seconds = float(query.get("timeoutSeconds") or 300)
        since = query.get("resourceVersion", "")
        body = self.api.watch(wanted, since, seconds, bare=bare(request))
        return _Stream(self, 200, {}, body)

    def _chance(self, request: Request) -> int:
        """The status of what goes wrong by chance; 0 for nothing."""
        if self._random.random() < self.weather.failures:
            return 500
        changes = request.method in ("PUT", "PATCH")
        return 409 if changes and self._random.random() < self.weather.conflicts else 0

    async def _travel(self) -> None:
        least, most = self.weather.latency
        await asyncio.sleep(self._random.uniform(least, most) / 2 if most else 0)
        if self.weather.parted:
            raise unavailable(self.server, "no route to host")

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AsyncIterator[WebSocket]:
        """Simulated pods run nothing that one could talk to."""
        raise unavailable(self.server, f"no {protocols} at {request.path}")
        yield  # type: ignore[unreachable]

    async def close(self) -> None:
        """Nothing to do."""


class _Stream:
    def __init__(
        self,
        transport: SimTransport,
        status: int,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes],
    ) -> None:
        self.status, self.headers, self.body = status, headers, body
        self._transport = transport

    async def chunks(self) -> AsyncIterator[bytes]:
        """Pieces; a cut is told as the transport's contract has it."""
        try:
            async for part in self.body:
                await asyncio.sleep(0)
                if self._transport.weather.parted:
                    raise unavailable(self._transport.server, "no route to host")
                yield part
        except Cut as error:
            raise unavailable(self._transport.server, "cut") from error


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
