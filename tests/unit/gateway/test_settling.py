"""Envoy is brought to what the objects say, as far as it takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fairway.gateway.envoy.programmer import Confirmed, Rejected
from fairway.gateway.refusals import ref_of
from fairway.gateway.settling import Settler
from fairway.gateway.snapshot import Composed, Place, Ref, Resource, Snapshot, World
from fairway.kit.clock import Millis
from fairway.model.errors import Internal

PLACE = Place(folder="/x")


def route(name: str, path: str = "/") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": {"path": path}}


def ref(name: str) -> Ref:
    return Ref("HTTPRoute", "shop", name)


def world(*routes: dict[str, Any]) -> World:
    return World(place=PLACE, objects={"HTTPRoute": list(routes)})


def compose(found: World) -> Composed:
    """One resource that says the path of each route; a status that says which were refused."""
    objects = {ref_of("HTTPRoute", one): one for one in found.of("HTTPRoute")}
    served = {key: one for key, one in objects.items() if key not in found.refused}
    paths = {key.name: one["spec"]["path"] for key, one in sorted(served.items())}
    statuses: Mapping[Ref, Any] = {key: {"refused": found.refused.get(key, "")} for key in objects}
    return Composed(
        Snapshot(routes={"fw-80": {"paths": paths}}),
        statuses,
        origin={"routes/fw-80": frozenset(served)},
    )


class Envoy:
    """Takes everything but a path with a bracket; `stubborn` takes nothing."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.live: dict[str, str] = {}
        self.history: list[dict[str, str]] = []
        self.stubborn = stubborn

    @property
    def routes(self) -> Mapping[str, Resource]:
        return {"fw-80": {"paths": self.live}}

    async def apply(self, wanted: Snapshot) -> Confirmed | Rejected:
        paths = wanted.routes["fw-80"]["paths"]
        bad = [name for name, path in paths.items() if "(" in path]
        if bad or self.stubborn:
            return Rejected("routes", ("fw-80",), f"missing ) of {bad}")
        self.live = paths
        self.history.append(paths)
        return Confirmed("v", Millis(1))


@pytest.fixture
def envoy() -> Envoy:
    return Envoy()


@pytest.fixture
async def settler(envoy: Envoy, tmp_path: Path) -> Settler:
    made = Settler(compose, envoy, tmp_path / "memory.json")
    await made.load()
    return made


async def test_what_changed_for_the_worse_is_served_as_it_was_and_told(
    settler: Settler, envoy: Envoy
) -> None:
    await settler.settle(world(route("a", "/a"), route("b", "/b")))
    done = await settler.settle(world(route("a", "("), route("b", "/b2")))
    assert envoy.live == {"a": "/a", "b": "/b2"}
    assert "missing )" in done.told.statuses[ref("a")]["refused"]
    assert done.told.statuses[ref("b")]["refused"] == ""
    assert set(done.held) == {ref("a")}


async def test_nothing_that_is_live_is_ever_given_up(settler: Settler, envoy: Envoy) -> None:
    first = [route(f"r{number:02}", "/1") for number in range(20)]
    await settler.settle(world(*first))
    envoy.history.clear()
    changed = [route(f"r{number:02}", "(" if number in {3, 11} else "/2") for number in range(20)]
    await settler.settle(world(*changed))
    assert all(len(paths) == 20 for paths in envoy.history)
    assert [envoy.live["r03"], envoy.live["r04"], envoy.live["r11"]] == ["/1", "/2", "/1"]


async def test_a_new_object_that_is_bad_is_left_out(settler: Settler, envoy: Envoy) -> None:
    await settler.settle(world(route("a", "/a")))
    await settler.settle(world(route("a", "/a"), route("b", "(")))
    assert envoy.live == {"a": "/a"}


async def test_what_is_mended_is_served_at_once(settler: Settler, envoy: Envoy) -> None:
    await settler.settle(world(route("a", "/a")))
    await settler.settle(world(route("a", "(")))
    done = await settler.settle(world(route("a", "/mended")))
    assert envoy.live == {"a": "/mended"}
    assert not done.held


async def test_a_restart_remembers_what_is_held_back_and_what_was_served(
    settler: Settler, envoy: Envoy, tmp_path: Path
) -> None:
    await settler.settle(world(route("a", "/a"), route("b", "/b")))
    await settler.settle(world(route("a", "("), route("b", "/b")))
    await settler.save()
    again = Settler(compose, envoy, tmp_path / "memory.json")
    await again.load()
    envoy.history.clear()
    done = await again.settle(world(route("a", "("), route("b", "/b3")))
    assert envoy.history == [{"a": "/a", "b": "/b3"}]
    assert set(done.held) == {ref("a")}


async def test_what_went_bad_while_nobody_followed_costs_the_others_nothing(
    settler: Settler, envoy: Envoy, tmp_path: Path
) -> None:
    await settler.settle(world(route("a", "/a"), route("b", "/b")))
    await settler.save()
    again = Settler(compose, envoy, tmp_path / "memory.json")
    await again.load()
    envoy.history.clear()
    await again.settle(world(route("a", "("), route("b", "/b")))
    assert all(paths == {"a": "/a", "b": "/b"} for paths in envoy.history)


async def test_a_memory_that_cannot_be_read_is_forgotten(envoy: Envoy, tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text("{nonsense")
    made = Settler(compose, envoy, tmp_path / "memory.json")
    await made.load()
    await made.settle(world(route("a", "/a"), route("b", "(")))
    assert envoy.live == {"a": "/a"}


async def test_what_is_held_back_is_tried_again_when_it_is_let_go(
    settler: Settler, envoy: Envoy
) -> None:
    await settler.settle(world(route("a", "(")))
    assert settler.holds
    settler.release()
    assert not settler.holds
    await settler.settle(world(route("a", "(")))
    assert settler.holds


async def test_an_envoy_that_takes_nothing_at_all_is_a_defect_and_no_loop(tmp_path: Path) -> None:
    made = Settler(compose, Envoy(stubborn=True), tmp_path / "memory.json")
    await made.load()
    with pytest.raises(Internal, match="whatever is left out"):
        await made.settle(world(route("a", "/a"), route("b", "/b")))
