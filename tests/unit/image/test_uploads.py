"""Uploads that are interrupted, resumed, raced, or hit a full disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from registry_client import Client, manifest, sha

from fairway.blob.blob import CHUNK
from fairway.blob.folder import Folder
from fairway.image.registry import Deps, registry_app
from fairway.image.registry.access import Open
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs

DATA = bytes(range(256)) * 300


async def start(client: Client) -> str:
    answer = await client("POST", "a/b/blobs/uploads/")
    assert answer.status_code == 202
    return str(answer.headers["location"])


async def test_an_upload_goes_on_after_a_restart(client: Client) -> None:
    where = await start(client)
    await client.http.patch(where, content=DATA[:1000])
    client.restart()
    status = await client.http.get(where)
    assert (status.status_code, status.headers["range"]) == (204, "0-999")
    headers = {"Content-Range": f"1000-{len(DATA) - 1}"}
    sent = await client.http.patch(where, content=DATA[1000:], headers=headers)
    assert sent.status_code == 202
    client.restart()
    done = await client.http.put(where, params={"digest": sha(DATA)})
    assert done.status_code == 201
    assert (await client("GET", f"a/b/blobs/{sha(DATA)}")).content == DATA


async def test_an_upload_lasts_over_a_restart_with_its_bytes_in_a_folder(
    database: Database, tmp_path: Path
) -> None:
    client = Client(Deps(database, Folder(tmp_path / "blobs"), Open(), bytes(32)))
    where = await start(client)
    await client.http.patch(where, content=DATA[:70_000])
    client = Client(Deps(database, Folder(tmp_path / "blobs"), Open(), bytes(32)))
    done = await client.http.put(where, params={"digest": sha(DATA)}, content=DATA[70_000:])
    assert done.status_code == 201
    assert (await client("GET", f"a/b/blobs/{sha(DATA)}")).content == DATA
    kept = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert len(kept) == 1


class Lost:
    """An ASGI request whose client goes away after some of the body."""

    def __init__(self, path: str, *parts: bytes, query: str = "", method: str = "PATCH") -> None:
        headers = [(b"host", b"x"), (b"content-length", b"1000000")]
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers,
            "query_string": query.encode(),
        }
        self._messages: list[dict[str, Any]] = [
            *({"type": "http.request", "body": part, "more_body": True} for part in parts),
            {"type": "http.disconnect"},
        ]
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def test_what_a_lost_client_sent_is_kept(client: Client) -> None:
    where = await start(client)
    lost = Lost(where, DATA[:500], DATA[500:900])
    await registry_app(client.deps)(lost.scope, lost.receive, lost.send)
    assert lost.sent == []
    status = await client.http.get(where)
    assert status.headers["range"] == "0-899"
    done = await client.http.put(where, params={"digest": sha(DATA)}, content=DATA[900:])
    assert done.status_code == 201


async def test_a_lost_client_makes_no_blob(client: Client) -> None:
    lost = Lost("/v2/a/b/blobs/uploads/", DATA, query=f"digest={sha(DATA)}", method="POST")
    await registry_app(client.deps)(lost.scope, lost.receive, lost.send)
    assert (await client("HEAD", f"a/b/blobs/{sha(DATA)}")).status_code == 404


async def test_a_full_disk_is_said_so_and_the_rest_is_sent_later(
    client: Client, blobs: MemoryBlobs
) -> None:
    blobs.room = 70_000
    where = await start(client)
    full = await client.http.patch(where, content=DATA)
    assert full.status_code == 503
    [error] = full.json()["errors"]
    assert error["detail"]["code"] == "disk-full"
    assert error["detail"]["remedy"]
    blobs.room = None
    at = int((await client.http.get(where)).headers["range"].partition("-")[2]) + 1
    at = 0 if at == 1 else at
    done = await client.http.put(where, params={"digest": sha(DATA)}, content=DATA[at:])
    assert done.status_code == 201


async def test_two_at_once_get_one_file(client: Client, blobs: MemoryBlobs) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                client("POST", f"{name}/blobs/uploads/?digest={sha(DATA)}", content=DATA)
            )
            for name in ("a", "a", "b", "c/d")
        ]
    assert {task.result().status_code for task in tasks} == {201}
    assert [len(held) for held in blobs.contents.values()] == [len(DATA)]
    for name in ("a", "b", "c/d"):
        assert (await client("GET", f"{name}/blobs/{sha(DATA)}")).content == DATA


async def test_two_ends_of_one_upload_make_one(client: Client) -> None:
    where = await start(client)
    await client.http.patch(where, content=DATA)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.http.put(where, params={"digest": sha(DATA)}))
            for _ in range(3)
        ]
    assert sorted(task.result().status_code for task in tasks) == [201, 404, 404]


async def test_a_lost_file_is_healed_by_the_next_push(client: Client, blobs: MemoryBlobs) -> None:
    await client.image("a", "v1", DATA)
    blobs.contents.clear()
    assert (await client("GET", f"a/blobs/{sha(DATA)}")).status_code == 404
    assert (await client.blob("a", DATA)).status_code == 201
    assert (await client("GET", f"a/blobs/{sha(DATA)}")).content == DATA


async def test_an_index_too_large_for_one_statement_is_checked(client: Client) -> None:
    layers = [b"layer %d" % number for number in range(1200)]
    await client.blob("a", layers[0])
    answer = await client.put("a", "v1", manifest(*layers))
    assert answer.status_code == 404
    assert len(answer.json()["errors"][0]["detail"]["digests"]) == 1199


@pytest.mark.parametrize("size", [CHUNK * 5 + 17])
async def test_a_body_of_any_size_is_held_in_small_parts(
    database: Database, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = MemoryBlobs()
    client = Client(Deps(database, blobs, Open(), bytes(32)))
    held: list[int] = []
    append = blobs.append

    async def watched(key: str, at: int, data: bytes) -> int:
        held.append(len(data))
        return await append(key, at, data)

    monkeypatch.setattr(blobs, "append", watched)

    async def body() -> AsyncIterator[bytes]:
        for at in range(0, size, 100_000):
            yield bytes(min(100_000, size - at))

    whole = bytes(size)
    answer = await client("POST", f"a/blobs/uploads/?digest={sha(whole)}", content=body())
    assert answer.status_code == 201
    assert sum(held) == size
    assert max(held) <= 100_000


async def test_a_repository_belongs_to_the_source_of_its_name(client: Client) -> None:
    from sqlalchemy import insert, select

    from fairway.store import schema

    def prepare(db: Any) -> None:
        db.execute(insert(schema.organisation).values(id=1, name="Org", created=0))
        for number, slug in ((1, "Org/app"), (2, "Org/other")):
            where = {"organisation": 1, "name": slug[4:], "visibility": "internal"}
            db.execute(insert(schema.repository).values(id=number, slug=slug, created=0, **where))

    client.deps.db.write_now(prepare)
    for name in ("org/app", "org/app/web/x", "org/none", "org"):
        await client("POST", f"{name}/blobs/uploads/")
    table = schema.registry_repository
    query = select(table.c.name, table.c.repository, table.c.visibility).order_by(table.c.name)
    rows = client.deps.db.read_now(lambda db: [tuple(row) for row in db.execute(query)])
    assert rows == [
        ("org", None, "private"),
        ("org/app", 1, "internal"),
        ("org/app/web/x", 1, "internal"),
        ("org/none", None, "private"),
    ]


async def test_bytes_are_on_the_disk_before_the_client_hears_so(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    sync, write = os.fsync, database.write

    def fsync(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}")
        seen.append("folder" if path.is_dir() else f"file of {path.stat().st_size}")
        sync(file)

    async def recorded(work: Any, *args: Any, **more: Any) -> Any:
        seen.append(work.__name__)
        return await write(work, *args, **more)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(database, "write", recorded)
    client = Client(Deps(database, Folder(tmp_path / "blobs"), Open(), bytes(32)))
    answer = await client("POST", f"a/b/blobs/uploads/?digest={sha(DATA)}", content=DATA)
    assert answer.status_code == 201
    assert seen[0] == "ensure_repository"
    assert seen[1] == f"file of {len(DATA)}"
    assert set(seen[2:-1]) == {"folder"}
    assert seen[-1] == "finish_upload"
