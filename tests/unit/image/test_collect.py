"""Garbage in the registry: what goes, what stays, and that no push ever misses anything."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs
from registry_client import Client, Time, index, manifest, sha
from sqlalchemy import Connection, Table, insert

from fairway.app import registry_policy
from fairway.image.collect import Collected, Policy, collect
from fairway.settings import Retention, Settings
from fairway.store import schema
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs

HOUR = 3600
POLICY = Policy(untagged_ms=24 * HOUR * 1000, grace_ms=HOUR * 1000, upload_ms=2 * HOUR * 1000)
HASTY = Policy(untagged_ms=HOUR * 1000, grace_ms=HOUR * 1000, upload_ms=2 * HOUR * 1000)
TIGHT = structs.replace(POLICY, untagged_ms=0, untagged_bytes=1)
LATER = 25 * HOUR


async def clean(client: Client) -> Collected:
    return await collect(client.deps.db, client.deps.blobs, POLICY)


@pytest.mark.parametrize(
    ("kept", "policy"),
    [
        (Retention(untagged_days=0, untagged_bytes=0), None),
        (Retention(untagged_days=1, untagged_bytes=0), Policy(untagged_ms=24 * HOUR * 1000)),
        (Retention(untagged_days=0, untagged_bytes=5), Policy(untagged_ms=0, untagged_bytes=5)),
    ],
)
def test_age_and_size_are_settings_each_of_which_may_be_without_limit(
    kept: Retention, policy: Policy | None
) -> None:
    assert registry_policy(Settings(data=Path("/nowhere"), retention=kept)) == policy


async def test_what_is_tagged_stays(client: Client, time: Time) -> None:
    await client.image("a", "v1", b"config", b"layer")
    time.pass_(LATER)
    assert await clean(client) == Collected()
    assert (await client("GET", f"a/blobs/{sha(b'layer')}")).content == b"layer"


async def test_what_lost_its_tag_goes_after_a_while(
    client: Client, blobs: MemoryBlobs, time: Time
) -> None:
    old = await client.image("a", "v1", b"config", b"old")
    await client.image("a", "v1", b"config", b"new")
    time.pass_(23 * HOUR)
    assert (await clean(client)).manifests == 0
    time.pass_(2 * HOUR)
    gone = await clean(client)
    assert (gone.manifests, gone.blobs, gone.bytes) == (1, 1, 3)
    assert (await client.get("a", old)).status_code == 404
    assert (await client("HEAD", f"a/blobs/{sha(b'old')}")).status_code == 404
    assert (await client("GET", f"a/blobs/{sha(b'config')}")).content == b"config"
    assert len(blobs.contents) == 2


async def test_what_an_index_lists_stays(client: Client, time: Time) -> None:
    one, two = manifest(b"1"), manifest(b"2")
    await client.image("a", "", b"1")
    await client.image("a", "", b"2")
    lonely = await client.image("a", "", b"3")
    await client.put("a", "many", index(one, two))
    time.pass_(LATER)
    assert (await clean(client)).manifests == 1
    for digest, wanted in ((sha(one), 200), (sha(two), 200), (lonely, 404)):
        assert (await client.get("a", digest)).status_code == wanted


async def test_subjects_and_referrers_stay_and_go_together(client: Client, time: Time) -> None:
    kept, lost = manifest(b"kept"), manifest(b"lost")
    await client.image("a", "v1", b"kept")
    await client.image("a", "", b"lost")
    for subject in (kept, lost):
        about = {"mediaType": "x/y", "digest": sha(subject), "size": len(subject)}
        await client.image("a", "", b"signature", subject=about)
    time.pass_(LATER)
    assert (await clean(client)).manifests == 2
    assert len((await client("GET", f"a/referrers/{sha(kept)}")).json()["manifests"]) == 1
    assert (await client("GET", f"a/referrers/{sha(lost)}")).json()["manifests"] == []


async def test_the_subject_of_what_is_tagged_stays(client: Client, time: Time) -> None:
    subject = manifest(b"subject")
    await client.image("a", "", b"subject")
    about = {"mediaType": "x/y", "digest": sha(subject), "size": len(subject)}
    await client.image("a", "signed", b"signature", subject=about)
    time.pass_(LATER)
    assert (await clean(client)).manifests == 0


@pytest.mark.parametrize(("candidate", "gone"), [("yes", 0), ("", 0), ("no", 1)])
async def test_what_image_records_name_stays(
    client: Client, time: Time, candidate: str, gone: int
) -> None:
    digest = await client.image("a/b", "", b"built")
    client.deps.db.write_now(lambda db: _record(db, "a/b", digest, candidate))
    time.pass_(LATER)
    assert (await clean(client)).manifests == gone


async def test_of_too_much_that_is_untagged_the_eldest_goes(client: Client, time: Time) -> None:
    images = []
    for number in range(5):
        images.append(
            await client.image("ab"[number % 2], "", b"%d" % number, b"x" * 100 + b"%d" % number)
        )
        time.pass_(HOUR)
    time.pass_(HOUR)
    gone = await _within(client, 3 * 102)
    assert (gone.manifests, gone.blobs) == (2, 4)
    found = [(await client.get("ab"[at % 2], one)).status_code for at, one in enumerate(images)]
    assert found == [404, 404, 200, 200, 200]
    assert await _within(client, 3 * 102) == Collected()
    assert (await _within(client, 3 * 102 - 1)).manifests == 1


async def _within(client: Client, size: int) -> Collected:
    policy = structs.replace(TIGHT, untagged_bytes=size)
    return await collect(client.deps.db, client.deps.blobs, policy)


async def test_what_is_needed_anyhow_is_not_counted_as_untagged(client: Client, time: Time) -> None:
    await client.image("a", "v1", b"config", b"base" * 100)
    await client.image("b", "", b"2", b"base" * 100)
    await client.image("b", "", b"3", b"base" * 100)
    time.pass_(LATER)
    assert await _within(client, 2) == Collected()
    assert (await _within(client, 1)).manifests == 2


async def test_no_size_removes_what_is_needed_or_may_still_be(client: Client, time: Time) -> None:
    child = manifest(b"child")
    kept = [("a", await client.image("a", "v1", b"tagged")), ("a", sha(child))]
    await client.image("a", "", b"child")
    await client.put("a", "many", index(child))
    about = {"mediaType": "x/y", "digest": kept[0][1], "size": len(manifest(b"tagged"))}
    kept.append(("a", await client.image("a", "", b"signature", subject=about)))
    candidate = await client.image("a/b", "", b"candidate")
    client.deps.db.write_now(lambda db: _record(db, "a/b", candidate, "yes"))
    lost = await client.image("a", "", b"lost")
    time.pass_(LATER)
    kept += [("a/b", candidate), ("a", await client.image("a", "", b"pushed just now"))]
    assert (await collect(client.deps.db, client.deps.blobs, TIGHT)).manifests == 1
    assert (await client.get("a", lost)).status_code == 404
    assert [(await client.get(*one)).status_code for one in kept] == [200] * 5


async def test_a_list_and_what_it_lists_go_by_size_together(client: Client, time: Time) -> None:
    old, new = manifest(b"old"), manifest(b"new")
    await client.image("a", "", b"old")
    time.pass_(HOUR)
    await client.image("a", "", b"new")
    await client.put("a", sha(index(old, new)), index(old, new))
    time.pass_(LATER)
    assert (await _within(client, 6)).manifests == 0
    assert (await _within(client, 5)).manifests == 3


def _record(db: Connection, name: str, digest: str, candidate: str) -> None:
    """An image record, and what it hangs on."""
    at = {"created": 0}

    def add(table: Table, **values: object) -> int:
        return int(db.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())

    owner = add(schema.organisation, name="o", **at)
    repo = add(schema.repository, slug="o/r", organisation=owner, name="r", **at)
    build = add(schema.build, repository=repo, number=1, event="push", status="passed", **at)
    where = {"build": build, "repository": repo}
    stage = add(schema.stage, **where, number=1, name="s", status="passed", **at)
    step = add(schema.step, stage=stage, number=1, name="s", status="passed")
    what = {"repository_name": name, "digest": digest, "candidate": candidate}
    add(schema.image, build=build, step=step, **what, **at)


async def test_a_blob_without_a_manifest_goes_after_the_grace(
    client: Client, blobs: MemoryBlobs, time: Time
) -> None:
    await client.blob("a", b"left behind")
    time.pass_(HOUR - 1)
    assert (await clean(client)).blobs == 0
    time.pass_(2)
    assert (await clean(client)).blobs == 1
    assert blobs.contents == {}


async def test_a_blob_that_two_repositories_hold_stays_for_the_other(
    client: Client, time: Time
) -> None:
    await client.image("a", "v1", b"both")
    await client.image("b", "v1", b"both")
    await client("DELETE", "a/manifests/v1")
    time.pass_(LATER)
    assert (await clean(client)).blobs == 0
    assert (await client("HEAD", f"a/blobs/{sha(b'both')}")).status_code == 404
    assert (await client("GET", f"b/blobs/{sha(b'both')}")).content == b"both"


async def test_being_asked_about_keeps_a_blob(client: Client, time: Time) -> None:
    await client.blob("a", b"base")
    time.pass_(HOUR - 10)
    assert (await client("HEAD", f"a/blobs/{sha(b'base')}")).status_code == 200
    time.pass_(HOUR - 10)
    await clean(client)
    assert (await client.put("a", "v1", manifest(b"base"))).status_code == 201


async def test_stale_uploads_and_files_without_a_record_go(
    client: Client, blobs: MemoryBlobs, time: Time
) -> None:
    where = (await client("POST", "a/blobs/uploads/")).headers["location"]
    await client.http.patch(where, content=b"half")
    await blobs.append("uploads/lost", 0, b"x")
    await blobs.append("blobs/sha256/00/lost", 0, b"x")
    time.pass_(HOUR)
    await clean(client)
    assert (await client.http.get(where)).status_code == 204
    time.pass_(HOUR + 1)
    assert (await clean(client)).uploads == 1
    assert (await client.http.get(where)).status_code == 404
    assert blobs.contents == {}


class Pusher:
    """One push of an image or of an index, a request at a time."""

    def __init__(self, client: Client, chance: random.Random, number: int, began: float) -> None:
        self.client, self.chance, self.began = client, chance, began
        self.name = chance.choice(["a", "b"])
        self.tag = chance.choice(["v1", "v2", f"once-{number}"])
        self.steps = self._push()

    async def _push(self) -> AsyncIterator[str]:
        children = []
        for _ in range(self.chance.choice([1, 1, 1, 2])):
            layers = [b"layer %d" % self.chance.randrange(6) for _ in range(3)]
            for layer in layers:
                async for at in self._blob(layer):
                    yield at
            body = manifest(*layers)
            children.append(body)
            yield "all blobs are there"
            await self._put(sha(body), body)
            yield "a manifest is there"
        await self._put(self.tag, children[0] if len(children) == 1 else index(*children))

    async def _blob(self, data: bytes) -> AsyncIterator[str]:
        there = await self.client("HEAD", f"{self.name}/blobs/{sha(data)}")
        yield "asked"
        if there.status_code == 200:
            return
        source = "b" if self.name == "a" else "a"
        path = f"{self.name}/blobs/uploads/?mount={sha(data)}&from={source}"
        start = await self.client("POST", path)
        yield "started or mounted"
        if start.status_code == 202:
            where = start.headers["location"]
            assert (await self.client.http.patch(where, content=data)).status_code == 202
            yield "sent"
            done = await self.client.http.put(where, params={"digest": sha(data)})
            assert done.status_code == 201, done.text
            yield "finished"

    async def _put(self, reference: str, body: bytes) -> None:
        answer = await self.client.put(self.name, reference, body)
        assert answer.status_code == 201, answer.text


class History:
    """Pushes, deletions and collections in any order; a push takes at most the grace."""

    def __init__(self, client: Client, time: Time, seed: int, policy: Policy) -> None:
        self.client, self.time, self.policy = client, time, policy
        self.chance = random.Random(seed)
        self.running: list[Pusher] = []
        self.collected = 0

    async def run(self) -> None:
        for number in range(150):
            await self._act(number)
            self.time.pass_(self.chance.uniform(0, 300))
            for pusher in list(self.running):
                if self.time.at - pusher.began > 50 * 60:
                    await self._finish(pusher)
        for pusher in list(self.running):
            await self._finish(pusher)

    async def _act(self, number: int) -> None:
        act = self.chance.random()
        if act < 0.15 and len(self.running) < 4:
            self.running.append(Pusher(self.client, self.chance, number, self.time.at))
        elif act < 0.75 and self.running:
            pusher = self.chance.choice(self.running)
            if await anext(pusher.steps, None) is None:
                self.running.remove(pusher)
        elif act < 0.88:
            await self.collect()
        else:
            name, tag = self.chance.choice("ab"), self.chance.choice(["v1", "v2"])
            await self.client("DELETE", f"{name}/manifests/{tag}")

    async def collect(self) -> None:
        done = await collect(self.client.deps.db, self.client.deps.blobs, self.policy)
        self.collected += done.manifests + done.blobs

    async def _finish(self, pusher: Pusher) -> None:
        async for _ in pusher.steps:
            await self.collect()
        self.running.remove(pusher)


async def _everything_tagged_is_whole(client: Client) -> None:
    for name in (await client("GET", "_catalog")).json()["repositories"]:
        for tag in (await client("GET", f"{name}/tags/list")).json()["tags"]:
            await _is_whole(client, name, tag)


async def _is_whole(client: Client, name: str, reference: str) -> None:
    body = (await client.get(name, reference)).json()
    for one in body.get("manifests", ()):
        await _is_whole(client, name, one["digest"])
    for one in (*([body["config"]] if "config" in body else ()), *body.get("layers", ())):
        answer = await client("GET", f"{name}/blobs/{one['digest']}")
        assert sha(answer.content) == one["digest"]


@pytest.mark.parametrize(("seed", "policy"), [(0, HASTY), (1, TIGHT), (2, HASTY), (3, TIGHT)])
async def test_no_push_in_flight_misses_anything(
    client: Client, time: Time, seed: int, policy: Policy
) -> None:
    if client.deps.db.sqlite is False and seed > 1:
        pytest.skip("a few histories are enough where each statement is a round trip")
    history = History(client, time, seed, policy)
    await history.run()
    await _everything_tagged_is_whole(client)
    time.pass_(LATER)
    await history.collect()
    await _everything_tagged_is_whole(client)
    assert history.collected, "a history in which nothing becomes garbage shows nothing"


async def test_after_everything_is_deleted_nothing_is_left(
    client: Client, blobs: MemoryBlobs, database: Database, time: Time
) -> None:
    await client.image("a", "v1", b"1", b"2")
    await client.image("b", "v1", b"2", b"3")
    for name in ("a", "b"):
        await client("DELETE", f"{name}/manifests/v1")
    time.pass_(LATER)
    gone = await clean(client)
    assert (gone.manifests, gone.blobs) == (2, 3)
    assert blobs.contents == {}
    assert await clean(client) == Collected()
