"""HTTP to the Docker Engine: bodies in any form, idle connections that died, hijacked pipes."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.docker.client import Docker, EngineRefused, read_pipe, registry_auth, split_image
from fairway.docker.stream import Demultiplexer
from fairway.kit.secret import Secret
from fairway.model.errors import Unavailable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(tmp_path: Path, *scripts: bytes) -> AsyncIterator[tuple[Docker, list[bytes]]]:
    """An engine that answers the n-th request with the n-th script; b"" hangs up instead."""
    heads: list[bytes] = []
    answers = list(scripts)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answers:
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(head)
                if b"Content-Length: " in head:
                    await reader.readexactly(int(head.split(b"Content-Length: ")[1].split()[0]))
                answer = answers.pop(0)
                writer.write(answer)
                await writer.drain()
                if b"close" in answer or not answer:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    path = tmp_path / "docker.sock"
    server = await asyncio.start_unix_server(serve, path)
    docker = Docker(f"unix://{path}")
    try:
        yield docker, heads
    finally:
        docker.close()
        server.close()
        await server.wait_closed()


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3;x\r\n:1}\r\n0\r\n\r\n'
)


async def test_answers_are_read_whole_and_the_connection_is_used_again(tmp_path: Path) -> None:
    async with serving(tmp_path, answer(b'{"Version":"1"}'), CHUNKED, answer(b"")) as (
        docker,
        heads,
    ):
        assert (await docker.version())["Version"] == "1"
        assert await docker.call("GET", "/x", query={"b": True, "n": None, "t": "a b"}) == {"a": 1}
        assert await docker.call("POST", "/y", json_body={"k": 1}) is None
    assert heads[1].startswith(b"GET /v1.41/x?b=1&t=a+b HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in heads[2]


async def test_an_idle_connection_that_died_is_replaced_without_a_word(tmp_path: Path) -> None:
    once = answer(b"{}").replace(b"\r\n\r\n", b"\r\nX: 1\r\n\r\n", 1)
    async with serving(tmp_path, once, b"", answer(b'{"Version":"2"}')) as (docker, _heads):
        await docker.version()
        assert (await docker.version())["Version"] == "2"


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nabc",
    ],
)
async def test_a_cut_answer_is_unavailable(tmp_path: Path, script: bytes) -> None:
    async with serving(tmp_path, script) as (docker, _heads):
        with pytest.raises(Unavailable) as caught:
            await docker.version()
    assert caught.value.code == "engine-unavailable"


async def test_a_refusal_carries_the_engines_words_and_status(tmp_path: Path) -> None:
    refusal = answer(b'{"message":"no such thing"}', "409 Conflict")
    async with serving(tmp_path, refusal, answer(b"", "404 Not Found")) as (docker, _heads):
        with pytest.raises(EngineRefused, match="no such thing") as caught:
            await docker.create("n", {})
        assert caught.value.answer == 409
        assert await docker.inspect("n") is None


async def test_an_attached_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    frames = struct.pack(">BxxxI", 1, 3) + b"abc" + struct.pack(">BxxxI", 2, 2) + b"de"
    upgrade = b"HTTP/1.1 101 UPGRADED\r\nConnection: close\r\n\r\n" + frames
    taken: list[bytes] = []

    async def sink(data: bytes) -> None:
        taken.append(data)

    async with serving(tmp_path, upgrade) as (docker, _heads):
        pipe = await docker.attach("c")
        assert pipe is not None
        await read_pipe(pipe, sink)
        pipe.close()
    assert b"".join(taken) == b"abcde"


@given(
    payloads=st.lists(st.binary(max_size=40), max_size=6),
    cuts=st.lists(st.integers(0, 300), max_size=10),
)
def test_frames_are_taken_apart_however_they_are_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(struct.pack(">BxxxI", 1, len(payload)) + payload for payload in payloads)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = Demultiplexer()
    out = b"".join(pieces.feed(data[a:b]) for a, b in itertools.pairwise(places))
    assert out == b"".join(payloads)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("busybox", ("busybox", "latest")),
        ("busybox:1", ("busybox", "1")),
        ("host:5000/a/b", ("host:5000/a/b", "latest")),
        ("host:5000/a/b:2", ("host:5000/a/b", "2")),
        ("host:5000/a@sha256:00", ("host:5000/a", "sha256:00")),
        ("host:5000/a:1@sha256:00", ("host:5000/a", "sha256:00")),
    ],
)
def test_image_names_are_split_as_the_engine_wants_them(name: str, parts: tuple[str, str]) -> None:
    assert split_image(name) == parts


def test_credentials_are_a_header_and_none_are_an_empty_object() -> None:
    assert registry_auth(None) == "e30="
    assert registry_auth(Secret('{"username":"ü?>"}')) == "eyJ1c2VybmFtZSI6IsO8Pz4ifQ=="
