"""The port at which kubectl reaches clusters: chosen once, kept, and told."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from fairway.boot.door import Door
from fairway.cluster.proxy.gate import Gate
from fairway.model.errors import Unavailable
from fairway.settings import Cluster, Http, Settings

GATE: Gate = object()  # type: ignore[assignment]  # nobody knocks


def settings(folder: Path, *, port: int = 0, **http: object) -> Settings:
    return Settings(data=folder, cluster=Cluster(port=port), http=structs.replace(Http(), **http))


@asynccontextmanager
async def opened(door: Door) -> AsyncIterator[Door]:
    task = asyncio.create_task(door.run(GATE))
    async with asyncio.timeout(90):
        while not door._port and not task.done():
            await asyncio.sleep(0.01)
    if task.done():
        await task
    yield door
    task.cancel()
    await asyncio.wait([task])


async def test_a_chosen_port_is_kept_for_the_next_start(tmp_path: Path) -> None:
    async with opened(Door(settings(tmp_path))) as door:
        first, authority = door.address("local"), await door.authority()
    assert first.startswith("https://127.0.0.1:")
    assert first.endswith("/clusters/local")
    async with opened(Door(settings(tmp_path))) as door:
        assert (door.address("local"), await door.authority()) == (first, authority)


async def test_another_is_chosen_when_it_was_taken_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(Door(settings(tmp_path))) as door:
        port = door._port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with caplog.at_level(logging.WARNING):
            async with opened(Door(settings(tmp_path))) as door:
                assert door._port != port
    assert "kubeconfigs must be written anew" in caplog.text


async def test_a_port_that_was_asked_for_is_the_only_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            async with opened(Door(settings(tmp_path, port=port))):
                pass
    assert caught.value.code == "port-taken"


async def test_it_says_nothing_before_it_is_open(tmp_path: Path) -> None:
    door = Door(settings(tmp_path))
    with pytest.raises(Unavailable):
        door.address("local")
    with pytest.raises(Unavailable):
        await door.authority()


async def test_it_is_shown_as_others_reach_it(tmp_path: Path) -> None:
    outside = settings(
        tmp_path, listen=("127.0.0.2:9",), external_url="https://fairway.example.org/"
    )
    async with opened(Door(outside)) as door:
        assert door.address("x").startswith("https://fairway.example.org:")
        for host in ("127.0.0.1", "127.0.0.2"):
            reader, writer = await asyncio.open_connection(host, door._port)
            writer.write(b"no TLS\r\n\r\n")
            assert not (await reader.read()).startswith(b"HTTP")  # it has ended on their side
            writer.close()
            await writer.wait_closed()


def test_every_address_stands_for_all_others(tmp_path: Path) -> None:
    door = Door(settings(tmp_path, listen=("0.0.0.0", "127.0.0.1")), bridge="10.0.0.1")
    assert door._hosts == ["0.0.0.0"]
