"""A watch's bytes: lines however they are cut, and lines that are wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kube.errors import KubeExpired, KubeUnavailable
from fairway.kube.events import Event, events, lines
from fairway.testing.kubefaults import expired_event
from fairway.testing.virtual import VirtualLoop


async def pieces(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    """Data in pieces of these sizes, again and again."""
    at, number = 0, 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        yield data[at : at + size]
        at, number = at + size, number + 1


@given(
    texts=st.lists(st.binary(min_size=1, max_size=30).map(lambda b: b.replace(b"\n", b"."))),
    rest=st.binary(max_size=5).map(lambda b: b.replace(b"\n", b".")),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_lines_come_out_whole_and_a_cut_one_does_not(
    texts: list[bytes], rest: bytes, sizes: list[int]
) -> None:
    data = b"".join(text + b"\n" for text in texts) + rest

    async def read() -> list[bytes]:
        return [line async for line in lines(pieces(data, sizes))]

    loop = VirtualLoop(0)  # asyncio.run would take the main thread's loop away
    try:
        assert loop.run_until_complete(read()) == texts
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def read(data: bytes, *, quiet_s: float = 5.0) -> list[Event]:
    return [event async for event in events(pieces(data, [7]), "server", quiet_s=quiet_s)]


async def test_events_are_read() -> None:
    line = json.dumps({"type": "ADDED", "object": {"kind": "X"}, "more": 1}).encode()
    assert await read(line + b"\n\n" + line + b"\n") == [Event("ADDED", {"kind": "X"})] * 2
    assert await read(b"") == []


@pytest.mark.parametrize(
    "line", [b"{", b"no JSON", b"[]", b'{"type": "ADDED"}', b'{"type": 1, "object": {}}', b"\xff"]
)
async def test_a_line_that_is_no_event_is_a_broken_watch(line: bytes) -> None:
    with pytest.raises(KubeUnavailable, match="cannot be read"):
        await read(line + b"\n")


async def test_what_the_server_tells_by_an_event_is_raised() -> None:
    with pytest.raises(KubeExpired):
        await read(expired_event().encode() + b"\n")
    with pytest.raises(KubeUnavailable, match="etcd"):
        await read(b'{"type": "ERROR", "object": {"kind": "Status", "message": "etcd"}}\n')


async def test_silence_and_endless_lines_have_an_end() -> None:
    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(KubeUnavailable, match="silent"):
        await anext(events(silent(), "server", quiet_s=0.01))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1024 * 1024

    with pytest.raises(KubeUnavailable, match="does not end"):
        await anext(events(endless(), "server", quiet_s=5))
