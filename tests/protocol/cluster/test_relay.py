"""The relay between a client and an API server, byte by byte, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fairway.cluster.proxy import asked
from fairway.cluster.proxy.gate import Passage
from fairway.cluster.proxy.headers import Headers, back, onward
from fairway.cluster.proxy.relay import Relay
from fairway.cluster.target import Target
from fairway.model.errors import Forbidden

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]
DEADLINE_S = 90


class FakeGate:
    """Lets everything pass to one target, and remembers what it was told."""

    def __init__(self, port: int) -> None:
        self.target = Target(server=f"http://127.0.0.1:{port}/k8s")
        self.noted: list[tuple[str, bytes]] = []
        self.failed: list[int] = []

    async def admit(self, method: str, path: str, given: Headers, *, upgrades: bool) -> Passage:
        if path == "/forbidden":
            raise Forbidden("not you", code="no-cluster-right", remedy="ask")
        return Passage(
            cluster="local",
            target=self.target,
            path=self.target.prefix + path,
            headers=[(b"Host", b"cluster"), *onward(given, upgrades=upgrades)],
            asked=asked.read(method, path),
            actor="ada",
        )

    async def note(self, passage: Passage, body: bytes) -> None:
        self.noted.append((passage.asked.verb, body))

    async def note_failure(self, passage: Passage, body: bytes, status: int) -> None:
        self.failed.append(status)


class Between:
    """A relay before an API server that a test plays."""

    def __init__(self, gate: FakeGate, port: int) -> None:
        self.gate = gate
        self.port = port
        self.connections = 0  # to the API server
        self.tasks: set[asyncio.Task[Any]] = set()
        self.clients: list[Writer] = []

    async def open(self) -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.clients.append(writer)
        return reader, writer

    async def end(self) -> None:
        for writer in self.clients:
            await closed(writer)
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def ask(self, text: str) -> bytes:
        """Send a request that ends the connection; the whole answer."""
        reader, writer = await self.open()
        writer.write(text.replace("\n", "\r\n").encode())
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def between(serve: Serve) -> AsyncIterator[Between]:
    found: list[Between] = []

    async def upstream(reader: Reader, writer: Writer) -> None:
        found[0].connections += 1
        with contextlib.suppress(asyncio.CancelledError):
            await owned(serve(reader, writer), writer)

    async def relayed(reader: Reader, writer: Writer) -> None:
        relay = Relay(found[0].gate, reader, writer)  # type: ignore[arg-type]  # stands for it
        with contextlib.suppress(asyncio.CancelledError):
            await owned(relay.run(), writer)

    async def owned(work: Awaitable[None], writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        found[0].tasks.add(task)
        try:
            await work
        finally:
            await closed(writer)

    async with asyncio.timeout(DEADLINE_S):
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        front = await asyncio.start_server(relayed, "127.0.0.1", 0)
        gate = FakeGate(server.sockets[0].getsockname()[1])
        found.append(Between(gate, front.sockets[0].getsockname()[1]))
        try:
            yield found[0]
        finally:
            await found[0].end()
            front.close()
            server.close()


async def closed(writer: Writer) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def head(reader: Reader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def answering(*answers: bytes) -> Serve:
    """Gives one answer for each request's head."""

    async def serve(reader: Reader, writer: Writer) -> None:
        for answer in answers:
            await head(reader)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_request_goes_on_with_the_clusters_path_and_its_answer_comes_back() -> None:
    heads: list[str] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        heads.append(await head(reader))
        writer.write(OK)
        await reader.read()

    async with between(serve) as link:
        answer = await link.ask("GET /api/v1/pods?limit=1 HTTP/1.1\nHost: x\nConnection: close\n\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")
    assert heads[0].startswith("GET /k8s/api/v1/pods?limit=1 HTTP/1.1\r\nHost: cluster\r\n")
    assert "onnection: close" not in heads[0]
    assert link.gate.noted == []


async def test_requests_of_one_client_share_one_connection() -> None:
    async with between(answering(OK, OK, OK)) as link:
        reader, writer = await link.open()
        for _ in range(3):
            writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await head(reader)).startswith("HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
        writer.close()
    assert link.connections == 1


async def test_an_upgrade_becomes_a_pipe_in_both_directions() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        asked_for = await head(reader)
        assert "upgrade: SPDY/3.1" in asked_for.lower().replace("spdy", "SPDY")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
            b"first"
        )
        while data := await reader.read(100):
            writer.write(data.upper())

    async with between(serve) as link:
        reader, writer = await link.open()
        writer.write(
            b"POST /api/v1/namespaces/w/pods/p/exec HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
        )
        answered = (await head(reader)).lower()
        assert answered.startswith("http/1.1 101")
        assert "upgrade: spdy/3.1" in answered
        assert await reader.readexactly(5) == b"first"
        for word in (b"one", b"two"):
            writer.write(word)
            assert await reader.readexactly(3) == word.upper()
        writer.close()
    assert [verb for verb, _ in link.gate.noted] == ["connect"]


async def test_a_watch_comes_piece_by_piece_and_ends_with_its_client() -> None:
    ended = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await reader.read()
        ended.set()

    async with between(serve) as link:
        reader, writer = await link.open()
        writer.write(b"GET /api/v1/pods?watch=true HTTP/1.1\r\nHost: x\r\n\r\n")
        await head(reader)
        assert await reader.readexactly(8) == b"3\r\none\r\n"
        writer.close()
        await ended.wait()


async def test_a_large_body_streams_through_with_its_beginning_kept_for_the_audit() -> None:
    size = 3_000_000
    got: list[int] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        told = await head(reader)
        assert f"Content-Length: {size}" in told
        got.append(len(await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with between(serve) as link:
        reader, writer = await link.open()
        writer.write(b"POST /api/v1/configmaps HTTP/1.1\r\nHost: x\r\n")
        writer.write(f"Content-Length: {size}\r\n\r\n".encode())
        writer.write(b"{" * size)
        assert (await head(reader)).startswith("HTTP/1.1 201")
        writer.close()
    assert got == [size]
    [(verb, body)] = link.gate.noted
    assert verb == "create"
    assert 0 < len(body) < size


async def test_a_client_that_waits_for_leave_to_send_gets_it() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        assert "xpect" not in await head(reader)
        assert await reader.readexactly(2) == b"{}"
        writer.write(OK)
        await reader.read()

    async with between(serve) as link:
        reader, writer = await link.open()
        writer.write(
            b"PUT /api/v1/nodes/n HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert (await head(reader)).startswith("HTTP/1.1 100")
        writer.write(b"{}")
        assert (await head(reader)).startswith("HTTP/1.1 200")
        writer.close()


def status_in(answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


async def test_a_refusal_of_ours_is_a_status_that_kubectl_shows() -> None:
    async with between(answering()) as link:
        answer = await link.ask("GET /forbidden HTTP/1.1\nHost: x\n\n")
    assert answer.startswith(b"HTTP/1.1 403")
    found = status_in(answer)
    assert (found["kind"], found["reason"], found["code"]) == ("Status", "Forbidden", 403)
    assert found["message"] == "fairway: not you (ask)"


async def test_a_cluster_that_is_not_there_is_told_and_written_down() -> None:
    async with between(answering()) as link:
        link.gate.target = Target(server="http://127.0.0.1:9")
        answer = await link.ask("DELETE /api/v1/nodes/n HTTP/1.1\nHost: x\n\n")
    assert answer.startswith(b"HTTP/1.1 502")
    assert b"fairway: the cluster local at http://127.0.0.1:9 does not answer" in answer
    assert (link.gate.noted, link.gate.failed) == ([("delete", b"")], [0])


async def test_a_cut_before_the_answer_leaves_its_outcome_open_in_the_audit() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await head(reader)

    async with between(serve) as link:
        answer = await link.ask("DELETE /api/v1/nodes/n HTTP/1.1\nHost: x\n\n")
    assert answer.startswith(b"HTTP/1.1 502")
    assert link.gate.failed == [0]


async def test_what_a_cluster_refuses_is_written_down() -> None:
    no = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    async with between(answering(no)) as link:
        reader, writer = await link.open()
        writer.write(b"DELETE /api/v1/nodes/n HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await head(reader)).startswith("HTTP/1.1 409")
        writer.write(b"GET /forbidden HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.read()
        writer.close()
    assert link.gate.failed == [409]


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_request_ends_the_connection(sent: bytes) -> None:
    async with between(answering()) as link:
        reader, writer = await link.open()
        writer.write(sent)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_head_without_end_is_not_kept() -> None:
    async with between(answering()) as link:
        reader, writer = await link.open()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 60_000)
        with contextlib.suppress(ConnectionResetError):  # it does not read the rest
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
    assert link.connections == 0


async def test_half_an_answer_is_a_cut_for_the_client_too() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with between(serve) as link:
        answer = await link.ask("GET /api HTTP/1.1\nHost: x\n\n")
    assert answer.endswith(b"half")


def test_headers_about_one_connection_do_not_come_back() -> None:
    given = [(b"Connection", b"close"), (b"Keep-Alive", b"x"), (b"Content-Type", b"y")]
    assert back(given, upgrades=False) == [(b"Content-Type", b"y")]
    assert back(given, upgrades=True) == given
