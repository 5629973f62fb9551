"""A body reaches a slow child whole, in order, and without making the giver wait for each piece."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from fairway.git.pump import Pump


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(0)
    yield ours, theirs
    ours.close()
    theirs.close()


async def read_all(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    found = bytearray()
    while data := await loop.sock_recv(sock, 65536):
        found += data
    return bytes(found)


async def test_a_body_arrives_whole_and_in_order(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    pump = Pump(ends[0])
    pieces = [bytes([number % 256]) * 18_000 for number in range(600)]
    async with asyncio.TaskGroup() as group:
        group.create_task(pump.run())
        taken = group.create_task(read_all(ends[1]))
        for piece in pieces:
            assert await pump.give(piece)
        pump.end()
    assert taken.result() == b"".join(pieces)


async def test_pieces_are_taken_while_the_child_reads_nothing_up_to_four_mebibytes(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    pump = Pump(ends[0])
    given = 0

    async def give() -> None:
        nonlocal given
        while await pump.give(bytes(64 * 1024)):
            given += 64 * 1024

    async with asyncio.TaskGroup() as group:
        running = group.create_task(pump.run())
        giving = group.create_task(give())
        before = -1
        while given != before:  # until a whole turn of the loop moves nothing
            before = given
            for _ in range(50):
                await asyncio.sleep(0)
        assert 4 * 1024 * 1024 <= given < 10 * 1024 * 1024
        giving.cancel()
        running.cancel()


async def test_a_child_that_stops_listening_is_said_so(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    pump = Pump(ends[0])
    ends[1].close()
    async with asyncio.TaskGroup() as group:
        group.create_task(pump.run())
        listens = True
        for _ in range(10):
            listens = listens and await pump.give(b"x" * 1024 * 1024)
            await asyncio.sleep(0)
        assert not listens
        assert not await pump.give(b"more")


async def test_an_empty_body_only_ends(ends: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump(ends[0])
    pump.end()
    await pump.run()
    assert await read_all(ends[1]) == b""
