"""The way to an API server, by what arrives at a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairway.kube.connection import Connection, from_kubeconfig
from fairway.kube.errors import KubeUnavailable
from fairway.kube.http import HttpTransport, open_transport
from fairway.kube.transport import Request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nWarning: a\r\nwarning: b\r\n\r\n{}"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno"


class Peer:
    """Notes what arrives, and answers with the next of `answers`, then with the last."""

    def __init__(self, answers: list[bytes]) -> None:
        self.heads: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._answers = answers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                lengths = [
                    one.split(": ")[1] for one in head if one.lower().startswith("content-l")
                ]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                self.heads.append(head)
                self.bodies.append(body)
                writer.write(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
        except (EOFError, OSError):
            writer.transport.abort()

    def values(self, name: str) -> list[list[str]]:
        """The values of a header, by request."""
        return [
            [line.split(": ", 1)[1] for line in head if line.lower().startswith(f"{name}: ")]
            for head in self.heads
        ]


@asynccontextmanager
async def opened(connection: Connection) -> AsyncIterator[HttpTransport]:
    transport = await open_transport(connection)
    try:
        yield transport
    finally:
        await transport.close()


def with_user(url: str, user: dict[str, str], folder: Path) -> Connection:
    name = {"name": "one"}
    return from_kubeconfig(
        {
            "clusters": [{**name, "cluster": {"server": url}}],
            "users": [{**name, "user": user}],
            "contexts": [{**name, "context": {"cluster": "one", "user": "one"}}],
            "current-context": "one",
        },
        folder=folder,
    )


async def test_path_query_repeated_headers_and_a_large_body_arrive_as_they_were_given() -> None:
    peer = Peer([OK])
    body = bytes(3 * 1024 * 1024)
    async with peer.running(), opened(Connection(server=peer.url)) as transport:
        request = Request(
            method="PATCH",
            path="/api/v1/services/https:web:80/proxy/a%2Fb c",
            query=(("labelSelector", "a in (b, c)"), ("x", "1"), ("x", "2")),
            headers={"content-type": "application/merge-patch+json"},
            repeated=(("impersonate-group", "one"), ("impersonate-group", "two")),
            body=body,
        )
        answer = await transport.send(request)
    assert (answer.status, answer.body, answer.headers["warning"]) == (200, b"{}", "a, b")
    target = "/api/v1/services/https:web:80/proxy/a%2Fb%20c?labelSelector=a%20in%20%28b%2C%20c%29"
    assert peer.heads[0][0] == f"PATCH {target}&x=1&x=2 HTTP/1.1"
    assert peer.values("impersonate-group") == [["one", "two"]]
    assert peer.values("content-type") == [["application/merge-patch+json"]]
    assert peer.bodies == [body]


async def test_a_token_file_is_read_again_when_the_server_refuses_the_token(tmp_path: Path) -> None:
    peer = Peer([OK, REFUSED, OK, REFUSED])
    (tmp_path / "token").write_text("old")
    async with peer.running():
        connection = with_user(peer.url, {"tokenFile": "token"}, tmp_path)
        async with opened(connection) as transport:
            request = Request(method="GET", path="/version")
            assert (await transport.send(request)).status == 200
            (tmp_path / "token").write_text("new")
            assert (await transport.send(request)).status == 200
            refused = await transport.send(request)
    assert (refused.status, refused.body) == (401, b"no")
    said = [one[0] for one in peer.values("authorization")]
    assert said == ["Bearer old", "Bearer old", "Bearer new", "Bearer new", "Bearer new"]


async def test_many_calls_at_once_share_few_connections() -> None:
    peer = Peer([OK])
    async with peer.running(), opened(Connection(server=peer.url)) as transport:
        request = Request(method="GET", path="/version")
        answers = await asyncio.gather(*(transport.send(request) for _ in range(200)))
    assert {one.status for one in answers} == {200}
    assert peer.connections <= 16


async def test_an_answer_that_is_cut_is_unavailable() -> None:
    peer = Peer([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"])

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(peer._answers[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with opened(Connection(server=url)) as transport:
            request = Request(method="GET", path="/x")
            with pytest.raises(KubeUnavailable):
                await transport.send(request)
            async with transport.stream(request) as stream:
                with pytest.raises(KubeUnavailable):
                    [part async for part in stream.chunks()]
    finally:
        server.close()
