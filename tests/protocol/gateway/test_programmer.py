"""A real Envoy is given configuration by files and says what it has."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gatewaybench import (
    Bench,
    Load,
    Server,
    cluster,
    endpoints,
    free_port,
    get,
    listener,
    running,
    until,
    weighted,
)

from fairway.gateway.envoy.programmer import Confirmed, Programmer
from fairway.gateway.snapshot import Snapshot
from fairway.supervise.component import State


@pytest.fixture
async def a() -> AsyncIterator[Server]:
    async with Server("a").run() as server:
        yield server


@pytest.fixture
async def b() -> AsyncIterator[Server]:
    async with Server("b").run() as server:
        yield server


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(tmp_path / "gateway") as found:
        yield found


async def test_what_is_confirmed_answers_at_once(bench: Bench, a: Server) -> None:
    await bench.apply({a: 100})
    assert await get(bench.port) == (200, "a")


async def test_a_hundred_weight_changes_under_load_lose_nothing(
    bench: Bench, a: Server, b: Server
) -> None:
    await bench.apply({a: 100, b: 0})
    async with Load(bench.port).run() as load:
        for step in range(1, 101):
            await bench.apply({a: 100 - step, b: step})
    assert not load.errors
    assert load.answers["b"] > 0
    assert await get(bench.port) == (200, "b")


async def test_sixteen_version_swaps_under_load_lose_nothing(bench: Bench, a: Server) -> None:
    await bench.apply({a: 100})
    async with Load(bench.port).run() as load:
        for number in range(16):
            async with Server(f"v{number}").run() as fresh:
                await bench.apply({fresh: 100})
                before = load.answers[fresh.name]
                await until(lambda: load.answers[fresh.name] > before, "traffic on it")  # noqa: B023
                await bench.apply({a: 100})
                await until(lambda: _gone(bench, fresh), "drained")
    assert not load.errors
    assert {f"v{number}" for number in range(16)} <= load.answers.keys()


async def _gone(bench: Bench, server: Server) -> bool:
    versions = await bench.admin.versions()
    return not any(server.name in name for name in versions.endpoints)


async def test_refused_routes_leave_traffic_and_files_as_they_were(bench: Bench, a: Server) -> None:
    first = await bench.apply({a: 100})
    file = bench.folder.xds / "rds/fw-test.json"
    before = file.read_bytes()
    bad = {"match": {"safe_regex": {"regex": "(["}}, "direct_response": {"status": 200}}
    rejected = await bench.refuse(bench.snapshot({a: 100}, routes=[bad]))
    assert (rejected.kind, rejected.names) == ("routes", ("fw-test",))
    assert "missing ]" in rejected.message
    assert file.read_bytes() == before
    assert await get(bench.port) == (200, "a")
    assert (await bench.apply({a: 100})).version == first.version


async def test_a_refused_listener_is_named_with_envoys_words(bench: Bench, a: Server) -> None:
    await bench.apply({a: 100})
    good = bench.snapshot({a: 100})
    elsewhere = listener(bench.folder, "fw-bad", free_port())
    elsewhere["address"]["socket_address"]["address"] = "192.0.2.1"
    wanted = Snapshot(
        listeners={**good.listeners, "fw-bad": elsewhere},
        routes={**good.routes, "fw-bad": {"name": "fw-bad", "virtual_hosts": []}},
        clusters=good.clusters,
        endpoints=good.endpoints,
    )
    rejected = await bench.refuse(wanted)
    assert (rejected.kind, rejected.names) == ("listeners", ("fw-bad",))
    assert "cannot bind" in rejected.message
    assert await get(bench.port) == (200, "a")
    await bench.apply({a: 100})


async def test_a_refused_cluster_is_named_and_the_others_stay(bench: Bench, a: Server) -> None:
    await bench.apply({a: 100})
    good = bench.snapshot({a: 100})
    name = "http_ns_bad_80_-"
    bad = {**cluster(bench.folder, name), "lb_policy": "CLUSTER_PROVIDED"}
    wanted = Snapshot(
        listeners=good.listeners,
        routes=good.routes,
        clusters={**good.clusters, name: bad},
        endpoints={**good.endpoints, name: endpoints(name, a.port)},
    )
    rejected = await bench.refuse(wanted)
    assert (rejected.kind, rejected.names) == ("clusters", (name,))
    assert await get(bench.port) == (200, "a")
    await bench.apply({a: 100})


async def test_a_killed_envoy_comes_back_with_what_was_confirmed(
    bench: Bench, a: Server, b: Server
) -> None:
    await bench.apply({a: 0, b: 100})
    pid = bench.pid
    os.kill(pid, signal.SIGKILL)
    await until(
        lambda: bench.supervisor.status("envoy").state is State.READY and bench.pid != pid, "again"
    )
    assert await get(bench.port) == (200, "b")
    bench.programmer.doubt()
    await bench.apply({a: 100, b: 0})
    assert await get(bench.port) == (200, "a")


async def test_another_fairway_takes_over_what_envoy_has(
    bench: Bench, a: Server, b: Server
) -> None:
    first = await bench.apply({a: 30, b: 70})
    from fairway.gateway.envoy.files import Files

    other = Programmer(Files(bench.folder), bench.admin, drain_s=0.2, most=1000)
    await other.load()
    again = await other.apply(bench.snapshot({a: 30, b: 70}))
    assert isinstance(again, Confirmed)
    assert first.at <= again.at
    assert await bench.admin.rejections() == 0


async def test_a_write_that_was_cut_off_is_found_and_mended(
    bench: Bench, a: Server, b: Server
) -> None:
    """A Fairway killed between writing and confirmation leaves a file that Envoy has refused."""
    await bench.apply({a: 100})
    bad = {"match": {"safe_regex": {"regex": "(["}}, "direct_response": {"status": 200}}
    wanted = bench.snapshot({a: 100}, routes=[bad])
    from fairway.gateway.envoy.files import Files

    files = Files(bench.folder)
    files.write("routes", "fw-test", wanted.routes["fw-test"])
    await until(lambda: _rejections(bench, 1), "the refusal")
    other = Programmer(files, bench.admin, drain_s=0.2, most=1000)
    await other.load()
    assert isinstance(await other.apply(bench.snapshot({b: 100})), Confirmed)
    assert await get(bench.port) == (200, "b")


async def _rejections(bench: Bench, number: int) -> bool:
    return await bench.admin.rejections() >= number


async def test_with_few_watches_endpoints_stand_in_their_clusters(
    tmp_path: Path, a: Server, b: Server
) -> None:
    async with running(tmp_path / "gateway", most=4) as bench:
        await bench.apply({a: 50, b: 50})
        assert len((await bench.admin.versions()).endpoints) == 1
        found = {(await get(bench.port))[1] for _ in range(40)}
        assert found == {"a", "b"}


async def test_header_rules_go_before_the_split(bench: Bench, a: Server, b: Server) -> None:
    rule = weighted(
        {"http_ns_b_80_-": 1},
        headers=[{"name": "x-canary", "string_match": {"exact": "always"}}],
    )
    await bench.apply({a: 100, b: 0}, routes=[rule])
    assert await get(bench.port) == (200, "a")
    assert await get(bench.port, **{"x-canary": "always"}) == (200, "b")


async def test_files_are_for_their_owner_only(bench: Bench, a: Server) -> None:
    await bench.apply({a: 100})
    found = [*bench.folder.xds.rglob("*.json"), bench.folder.bootstrap, bench.folder.admin]
    assert found
    assert {path.stat().st_mode & 0o077 for path in found} == {0}
    assert bench.folder.root.stat().st_mode & 0o077 == 0
