"""Which of many objects Envoy refuses, and what is served meanwhile."""

from __future__ import annotations

import pytest

from fairway.gateway.refusals import (
    Held,
    as_served,
    as_told,
    content_of,
    culprits,
    index,
    still_held,
    suspects,
)
from fairway.gateway.snapshot import Composed, Object, Place, Ref, Snapshot, World


def route(name: str, path: str = "/", **meta: object) -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "1", **meta},
        "spec": {"path": path},
        "status": {},
    }


def world(*routes: Object) -> World:
    return World(place=Place(folder="/x"), objects={"HTTPRoute": routes})


def ref(name: str) -> Ref:
    return Ref("HTTPRoute", "shop", name)


class Envoy:
    """Refuses whatever holds one of the bad objects."""

    def __init__(self, everything: list[Ref], *bad: Ref) -> None:
        self.everything, self.bad, self.asked = everything, bad, 0

    async def attempt(self, without: frozenset[Ref]) -> str | None:
        self.asked += 1
        found = [one for one in self.bad if one not in without]
        return f"bad {found[0].name}" if found else None


@pytest.mark.parametrize("places", [(0,), (99,), (40, 41), (0, 50, 99), (13, 57, 58, 59)])
async def test_every_bad_object_is_found_among_a_hundred(places: tuple[int, ...]) -> None:
    everything = [ref(f"r{number:02}") for number in range(100)]
    bad = [everything[place] for place in places]
    envoy = Envoy(everything, *bad)
    found = await culprits(everything, envoy.attempt, "first")
    assert found == {one: f"bad {one.name}" for one in bad}
    assert envoy.asked <= 2 + 16 * len(bad)


async def test_a_single_suspect_needs_no_further_question() -> None:
    envoy = Envoy([ref("a")], ref("a"))
    assert await culprits([ref("a")], envoy.attempt, "said") == {ref("a"): "said"}
    assert envoy.asked == 0


async def test_what_is_nobodys_alone_holds_all_back() -> None:
    async def never(_without: frozenset[Ref]) -> str | None:
        return "port taken"

    found = await culprits([ref("a"), ref("b")], never, "first")
    assert found == {ref("a"): "port taken", ref("b"): "port taken"}


def test_only_what_has_changed_is_suspected() -> None:
    same, old, new = route("same"), route("other"), route("other", "(")
    composed = Composed(
        Snapshot(), {}, origin={"routes/fw-80": frozenset({ref("same"), ref("other")})}
    )
    now = index(world(same, new))
    assert suspects(composed, ["routes/fw-80"], now, index(world(same, old))) == [ref("other")]


def test_a_change_of_status_alone_is_no_change() -> None:
    before, after = route("a"), {**route("a", resourceVersion="2"), "status": {"x": 1}}
    assert content_of(before) == content_of(after)
    assert content_of(before) != content_of(route("a", annotations={"canary": "true"}))
    assert content_of(before) != content_of(route("a", uid="another"))


def test_without_anything_known_to_be_good_all_that_exists_is_suspected() -> None:
    composed = Composed(
        Snapshot(),
        {},
        origin={"routes/fw-80": frozenset({ref("a"), Ref("Secret", "shop", "key")})},
    )
    found = suspects(composed, ["routes/fw-80"], index(world(route("a"))), {})
    assert found == [ref("a")]


def test_the_former_version_is_served_and_the_new_one_is_told() -> None:
    old, new = route("a", "/old"), route("a", "(")
    held = {ref("a"): Held("bad regex", content_of(new), former=old)}
    both = world(new, route("b"))
    assert as_served(both, held).of("HTTPRoute") == [old, route("b")]
    assert as_told(both, held).refused == {ref("a"): "bad regex"}
    assert as_told(both, held).of("HTTPRoute")[0] == new


def test_a_new_object_that_is_refused_is_not_served() -> None:
    held = {ref("a"): Held("bad", content_of(route("a")))}
    assert as_served(world(route("a"), route("b")), held).of("HTTPRoute") == [route("b")]


def test_a_held_object_is_tried_again_when_it_changes_and_forgotten_when_it_goes() -> None:
    held = {ref("a"): Held("bad", content_of(route("a", "("))), ref("b"): Held("bad", "x")}
    assert still_held(held, index(world(route("a", "(")))) == {ref("a"): held[ref("a")]}
    assert still_held(held, index(world(route("a", "/")))) == {}
