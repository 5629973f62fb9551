"""The clusters that controllers work in."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from fairway.kit.aio import background, together
from fairway.kube import Kube
from fairway.kube.fleet import Member, each, find, home, same_server
from fairway.model.errors import NotFound, Unavailable
from fairway.testing.fleet import StaticFleet


class _Client:
    def __init__(self, server: str) -> None:
        self.server = server


def kube(server: str) -> Kube:
    return cast("Kube", cast("Any", _Client(server)))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is begun again at once."""
    monkeypatch.setattr("fairway.kube.fleet._AGAIN_S", 0.001)


def fleet() -> StaticFleet:
    return StaticFleet(main=kube("https://main:6443"), far=kube("https://far:6443/"))


def test_the_first_cluster_is_the_hub_and_has_argos_names_besides_its_own() -> None:
    made = fleet()
    hub = home(made)
    assert hub is not None
    assert hub.name == "main"
    assert find(made, name="in-cluster").name == "main"
    assert find(made, server="https://kubernetes.default.svc/").name == "main"
    assert find(made, server="https://main:6443").name == "main"


def test_another_cluster_is_found_by_name_and_by_server() -> None:
    made = fleet()
    assert find(made, name="far").name == "far"
    assert find(made, server="https://far:6443").name == "far"
    assert same_server("https://far:6443/", "https://far:6443")


def test_a_cluster_that_is_not_there_is_named_in_the_error() -> None:
    with pytest.raises(NotFound, match="no cluster nowhere") as error:
        find(fleet(), name="nowhere")
    assert error.value.code == "no-cluster"


def test_a_cluster_without_a_way_in_says_why() -> None:
    made = fleet()
    made.lose("far", Unavailable("its cable is cut"))
    with pytest.raises(Unavailable, match="its cable is cut"):
        find(made, name="far").client()


async def test_work_runs_in_each_cluster_and_follows_their_coming_and_going() -> None:
    made = fleet()
    running: dict[str, str] = {}
    changed = asyncio.Event()

    async def work(member: Member) -> None:
        running[member.name] = member.client().server
        changed.set()
        try:
            await asyncio.Event().wait()
        finally:
            del running[member.name]
            changed.set()

    async def until(wanted: dict[str, str]) -> None:
        async with asyncio.timeout(90):
            while running != wanted:
                changed.clear()
                await changed.wait()

    async with background(each(made, work, name="test")):
        await until({"main": "https://main:6443", "far": "https://far:6443/"})
        made.lose("far", Unavailable("cut"))
        await until({"main": "https://main:6443"})
        made.add("far", kube("https://elsewhere:6443"))
        await until({"main": "https://main:6443", "far": "https://elsewhere:6443"})
    assert running == {}


async def test_what_fails_in_one_cluster_is_begun_again_and_the_others_go_on() -> None:
    made = fleet()
    tries: list[str] = []
    again = asyncio.Event()

    async def work(member: Member) -> None:
        tries.append(member.name)
        if member.name == "far":
            if tries.count("far") == 2:
                again.set()
            raise Unavailable("not now")
        await asyncio.Event().wait()

    async with background(each(made, work, name="test")):
        async with asyncio.timeout(90):
            await again.wait()
    assert tries.count("main") == 1


async def test_work_that_fails_just_as_it_is_cancelled_begins_anew_with_the_new_way_in() -> None:
    made = fleet()
    made.remove("far")
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def fails_at_its_end() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("this way in was closed") from None

    async def work(member: Member) -> None:
        await begun.put(member.client().server)
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_at_its_end())

    async with background(each(made, work, name="test")), asyncio.timeout(90):
        assert await begun.get() == "https://main:6443"
        await asyncio.sleep(0)  # into the group
        made.add("main", kube("https://main:7443"))
        assert await begun.get() == "https://main:7443"


async def test_work_whose_group_fails_by_itself_is_begun_again_and_can_still_be_ended() -> None:
    made = fleet()
    made.remove("far")
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise Unavailable("not now")

    async def work(member: Member) -> None:
        await begun.put(member.client().server)
        async with together() as group:  # waits for its task, which counts as a cancellation
            group.create_task(fails())

    async with background(each(made, work, name="test")), asyncio.timeout(90):
        for _ in range(3):
            assert await begun.get() == "https://main:6443"
        made.add("main", kube("https://main:7443"))
        while await begun.get() != "https://main:7443":
            pass
