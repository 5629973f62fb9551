"""The clusters of one installation: which there are, which may come and go, what each waits for."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from fairway.cluster import ending, fleet, host, plan
from fairway.cluster.fleet import Fleet
from fairway.cluster.layout import layout, names
from fairway.cluster.onlooker import Onlooker
from fairway.cluster.setting_up import Wanted, read_plan
from fairway.cluster.status import ClusterState
from fairway.kit import clock, processes
from fairway.kit.processes import Process
from fairway.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from fairway.supervise import records
from fairway.supervise.component import Record, State


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory with a short path, on a machine that could embed clusters."""
    monkeypatch.setattr(host, "obstacle", lambda: None)
    folder = Path(tempfile.mkdtemp(prefix="fw-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


async def never(_name: str) -> Wanted:
    raise Unavailable("it is being built", code="native-missing", remedy="wait")


@asynccontextmanager
async def running(made: Fleet) -> AsyncIterator[Fleet]:
    task = asyncio.ensure_future(made.run())
    try:
        await until(made.statuses)
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.01)


def planned(data: Path, name: str) -> None:
    """A cluster that was made at a former start."""
    paths = layout(data, name)
    paths.folder.mkdir(parents=True)
    paths.plan.write_bytes(msgspec.json.encode(plan.choose("one", name, [])))


async def test_while_the_programs_are_missing_the_cluster_waits_and_says_so(data: Path) -> None:
    async with running(Fleet(data, "local", never)) as made:
        await until(lambda: made.statuses()[0].reason)
        (status,) = made.statuses()
        assert (status.state, status.reason) == (ClusterState.WAITING, "it is being built")
        assert status.remedy == "wait"
        (own,) = await made.own()
        assert own.target is None
        assert own.reason == "it is being built"
        with pytest.raises(Unavailable) as raised:
            await made.cluster("local").wait_ready(0.01)
        assert raised.value.code == "cluster-not-ready"


async def test_where_none_can_run_it_is_impossible_and_the_remedy_is_told(data: Path) -> None:
    async def find(_name: str) -> Wanted:
        raise Unavailable("only root", code="cluster-needs-root", remedy="use another")

    async with running(Fleet(data, "local", find)) as made:
        await until(lambda: made.statuses()[0].state is ClusterState.IMPOSSIBLE)
        assert made.statuses()[0].remedy == "use another"


async def test_a_defect_in_finding_it_out_ends_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_BESIDE_S", 0.01)
    tries: list[int] = []

    async def find(_name: str) -> Wanted:
        tries.append(1)
        raise ZeroDivisionError

    async with running(Fleet(data, "local", find)) as made:
        await until(lambda: len(tries) > 2)
        assert made.statuses()


async def test_clusters_of_a_former_start_are_taken_up_the_own_one_first(data: Path) -> None:
    planned(data, "a-second")
    planned(data, "local")
    async with running(Fleet(data, "local", never)) as made:
        await until(lambda: len(made.statuses()) == 2)
        assert [one.name for one in made.statuses()] == ["local", "a-second"]


async def test_one_is_created_once_and_by_a_good_name(data: Path) -> None:
    async with running(Fleet(data, "local", never)) as made:
        await made.create("staging")
        assert [one.name for one in made.statuses()] == ["local", "staging"]
        with pytest.raises(Conflict):
            await made.create("staging")
        with pytest.raises(InvalidInput):
            await made.create("../x")


async def test_none_is_created_before_the_fleet_runs_or_where_none_can(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable):
        await Fleet(data, "local", never).create("staging")
    problem = Unavailable("no", code="cluster-needs-linux")
    monkeypatch.setattr(host, "obstacle", lambda: problem)
    async with running(Fleet(data, "local", never)) as made:
        with pytest.raises(Unavailable) as raised:
            await made.create("staging")
        assert raised.value is problem


async def test_a_deleted_one_is_gone_and_the_own_one_stays(data: Path) -> None:
    async with running(Fleet(data, "local", never)) as made:
        await made.create("staging")
        await made.delete("staging")
        assert [one.name for one in made.statuses()] == ["local"]
        with pytest.raises(NotFound):
            await made.delete("staging")
        with pytest.raises(Conflict) as raised:
            await made.delete("local")
        assert raised.value.code == "cluster-is-home"


def test_a_deletion_that_a_crash_cut_off_is_finished(data: Path) -> None:
    paths = layout(data, "staging")
    paths.folder.mkdir(parents=True)
    (paths.folder / "etcd").mkdir()
    ending.mark_deleted(paths)
    ending.finish_deletions(data, print)
    assert not paths.folder.exists()
    assert names(data) == []


def test_a_plan_of_another_version_is_refused_by_name(data: Path) -> None:
    paths = layout(data, "local")
    paths.folder.mkdir(parents=True)
    paths.plan.write_text('{"name": "local"}')
    with pytest.raises(Unavailable) as raised:
        read_plan(paths)
    assert raised.value.code == "bad-cluster-plan"
    assert str(paths.plan) in str(raised.value)
    said: list[str] = []
    ending.end_all(data, said.append, remove=True)
    assert "another version" in said[0]
    assert paths.plan.exists()


async def test_an_onlooker_sees_clusters_and_changes_none(data: Path) -> None:
    planned(data, "a-second")
    planned(data, "local")
    seen = Onlooker(data, "local")
    found = await seen.own()
    assert [one.name for one in found] == ["local", "a-second"]
    assert all(one.target is None and "does not answer" in one.reason for one in found)
    for change in (seen.create("x"), seen.delete("local")):
        with pytest.raises(Unavailable):
            await change


async def test_an_onlooker_tells_of_components_by_what_their_supervisor_wrote_down(
    data: Path,
) -> None:
    planned(data, "local")
    seen = Onlooker(data, "local")
    [before] = await seen.statuses()
    assert (before.state, before.components) == (ClusterState.WAITING, ())
    mine = processes.identify(os.getpid())
    assert mine is not None
    gone = Process(pid=mine.pid, started=mine.started + 1, boot=mine.boot)
    at = clock.now()
    for name, process, reason in (("etcd", mine, "ended by SIGKILL"), ("kubelet", gone, "")):
        record = Record(name, process, "d", 0, stop_s=1.0, since=at, restarts=2, reason=reason)
        records.write(layout(data, "local").state, record)
    [found] = await seen.statuses()
    assert found.state is ClusterState.DEGRADED
    assert "does not answer" in found.reason
    etcd, kubelet = found.components
    assert (etcd.state, etcd.pid, etcd.restarts) == (State.READY, mine.pid, 2)
    assert (etcd.reason, etcd.since) == ("ended by SIGKILL", at)
    assert (kubelet.state, kubelet.pid) == (State.FAILED, None)
    assert kubelet.reason == "its process has ended"
