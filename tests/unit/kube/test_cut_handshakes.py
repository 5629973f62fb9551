"""A call that is cut off at any moment of its connection's beginning leaves no socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster import certificates
from fairway.cluster.certificates import Pair, Subject
from fairway.kit import clock
from fairway.kube import Connection, http
from fairway.kube.http import HttpTransport, open_now
from fairway.kube.transport import Request

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MOMENTS = 60  # passes of the loop: more than a handshake takes


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certificates.authority("a", clock.now())


@pytest.fixture
async def server(authority: Pair, tmp_path: Path) -> AsyncIterator[str]:
    pair = certificates.issue(authority, Subject(name="s", hosts=("127.0.0.1",)), clock.now())
    (tmp_path / "pem").write_bytes(pair.cert + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    made = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{made.sockets[0].getsockname()[1]}"
    made.close()


async def cut(transport: HttpTransport, moment: int) -> None:
    task = asyncio.create_task(transport.send(Request(method="GET", path="/")))
    for _ in range(moment):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def test_whenever_it_is_cut_off_nothing_stays_open(
    server: str, authority: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    make = http._socket

    def kept(about: Any) -> socket.socket:
        opened.append(make(about))
        return opened[-1]

    monkeypatch.setattr(http, "_socket", kept)
    left = []
    for moment in range(MOMENTS):
        transport = open_now(Connection(server=server, ca=authority.cert))
        await cut(transport, moment)
        await transport.close()
        left += [moment] if any(one.fileno() >= 0 for one in opened) else []
        opened.clear()
    assert left == []
