"""A call that is cut off at any moment of its connection's beginning leaves no socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fairway.cluster import certificates
from fairway.cluster.certificates import Pair, Subject
from fairway.cluster.proxy import upstream
from fairway.cluster.target import Target
from fairway.kit import clock
from fairway.kube import Connection
from fairway.kube.http import HttpTransport, open_now
from fairway.kube.transport import Request
from fairway.model.errors import FairwayError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
GET = Request(method="GET", path="/")


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certificates.authority("a", clock.now())


@pytest.fixture
async def server(authority: Pair, tmp_path: Path) -> AsyncIterator[str]:
    pair = certificates.issue(authority, Subject(name="s", hosts=("127.0.0.1",)), clock.now())
    (tmp_path / "pem").write_bytes(pair.cert + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    made = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{made.sockets[0].getsockname()[1]}"
    made.close()
    await _passes(20)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    writer.transport.abort()


async def _passes(count: int) -> None:
    """Let the loop do that many times what is ready."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def sockets(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Those that were connected."""
    found: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def noted(one: socket.socket, address: Any) -> None:
        found.append(one)
        await connect(one, address)

    monkeypatch.setattr(loop, "sock_connect", noted)
    monkeypatch.setattr(upstream, "blocking", _at_once)  # a thread takes any number of passes
    return found


async def _at_once(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


async def _send(way: HttpTransport, _server: str, _authority: Pair) -> None:
    await way.send(GET)


async def _stream(way: HttpTransport, _server: str, _authority: Pair) -> None:
    async with way.stream(GET) as answer:
        assert [part async for part in answer.chunks()] == []


async def _websocket(way: HttpTransport, _server: str, _authority: Pair) -> None:
    async with way.websocket(GET, ("v5.channel.k8s.io",)):
        pass


async def _through_us(_way: HttpTransport, server: str, authority: Pair) -> None:
    at = urlsplit(server)
    target = Target(server=server, ca=authority.cert.decode())
    assert (target.host, target.port) == (at.hostname, at.port)
    await (await upstream.connect(target, "c")).close()


@pytest.mark.parametrize("call", [_send, _stream, _websocket, _through_us])
async def test_whenever_a_call_is_cut_off_nothing_stays_open(
    call: Callable[[HttpTransport, str, Pair], Awaitable[None]],
    server: str,
    authority: Pair,
    sockets: list[socket.socket],
) -> None:
    left = []
    for moment in itertools.count():
        way = open_now(Connection(server=server, ca=authority.cert))
        calling = asyncio.ensure_future(call(way, server, authority))
        await _passes(moment)
        cut = calling.cancel()
        await asyncio.wait([calling])
        await way.close()
        if not cut:
            break
        await _passes(5)  # a closed transport lets go of its socket in a later pass
        left += [moment] if any(one.fileno() >= 0 for one in sockets) else []
    assert left == []
    assert sockets, "it never came to a connection"
    with contextlib.suppress(FairwayError):
        calling.result()
