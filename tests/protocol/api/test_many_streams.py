"""Event streams over the real HTTP server: more of them than granian takes by default."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.api.app import api_app
from fairway.boot.server import Address, serve
from fairway.kit.net import free_port
from fairway.model.events import BuildFinished
from fairway.store import outbox
from fairway.store.database import Database, sqlite_url
from fairway.testing.apiworld import ApiWorld

STREAMS = 1100


@pytest.fixture
async def served(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[tuple[ApiWorld, int]]:
    path = tmp_path / "fairway.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(sqlite_url(path), durable=False)
    world, port = ApiWorld(database, tmp_path), free_port()
    async with asyncio.TaskGroup() as group:
        server = group.create_task(
            serve(api_app(world.services), [Address("127.0.0.1", port)])  # type: ignore[arg-type]
        )
        yield world, port
        server.cancel()
    database.close()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0)


async def listen(port: int, token: str, ready: asyncio.Semaphore) -> str:
    """The first event of one stream."""
    reader, writer = await connect(port)
    head = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b": still here\n\n")  # it listens now
    ready.release()
    line = b""
    while not line.startswith(b"event: "):
        line = await reader.readline()
    writer.close()
    return line.decode().strip()


async def test_every_one_of_many_streams_hears_an_event(served: tuple[ApiWorld, int]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * STREAMS)), hard))
    world, port = served
    token, ready = world.token("ada"), asyncio.Semaphore(0)
    event = BuildFinished(
        repository=world.people.ids["tide/app"], slug="tide/app", build=1, number=1,
        status="passed", event="push", ref="refs/heads/main", after="a" * 40,
    )  # fmt: skip
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        streams = [group.create_task(listen(port, token, ready)) for _ in range(STREAMS)]
        for _ in range(STREAMS):
            await ready.acquire()
        await world.database.write(outbox.append, event)
    assert [stream.result() for stream in streams] == ["event: build-finished"] * STREAMS
