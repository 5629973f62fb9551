"""What is next in a lane: tables, and random histories that must keep the rules."""

from __future__ import annotations

from typing import Any

import pytest
from delivery_records import delivery, promotion, release
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairway.model.release import (
    Approval,
    Promotion,
    PromotionKind,
    PromotionState,
    Release,
    ReleaseState,
    Step,
    Verdict,
)
from fairway.release import decide, history
from fairway.release.decide import End, Lane, Offer, Start, Verify, Wait

NOW = 10_000_000


def lane(here: list[Promotion], before: list[Promotion] | None = None, **given: Any) -> Lane:
    gates = given.pop("gates", None)
    releases = given.pop("releases", {n: release(n) for n in (1, 2, 3)})
    place: dict[str, Any] = {"name": "production"}
    if gates:
        place["gates"] = gates
    first: dict[str, Any] = {"name": "dev"}
    followed = given.pop("follows", "")
    if followed:
        first["follows"] = followed
    made = delivery(first, place)
    return Lane(
        environment=made.environments[0 if followed else 1], service="web", releases=releases,
        here=here, before=before, before_name="dev", **given,
    )  # fmt: skip


def next_of(*args: Any, **given: Any) -> list[Any]:
    return list(decide.decide(lane(*args, **given), NOW).actions)


def test_the_newest_release_that_is_good_before_is_offered() -> None:
    assert next_of([], [promotion(1, 1), promotion(2, 2)]) == [Offer(2)]


def test_what_is_not_good_before_is_not_offered() -> None:
    assert next_of([], []) == []
    assert next_of([], [promotion(1, 1, "failed", bad="no")]) == []
    assert next_of([], [promotion(1, 1, "running")]) == []


def test_the_first_environment_takes_what_is_published() -> None:
    pending = {1: release(1), 2: release(2, state=ReleaseState.FAILED)}
    assert next_of([], None, releases=pending) == [Offer(1)]


def test_what_came_once_is_not_offered_again() -> None:
    assert next_of([promotion(3, 2)], [promotion(2, 2)]) == []
    assert next_of([promotion(3, 2, "rejected")], [promotion(2, 2)]) == []


def test_a_bad_release_stays_away_and_a_newer_one_comes() -> None:
    here = [promotion(1, 1), promotion(2, 2, "failed", bad="no"), promotion(3, 1, kind="revert")]
    assert next_of(here, [promotion(1, 2)]) == []
    assert next_of(here, [promotion(1, 3)]) == [Offer(3)]


def test_what_waits_with_open_gates_starts_when_the_place_is_free() -> None:
    waiting = promotion(5, 2, "waiting")
    assert next_of([waiting], [promotion(1, 2)]) == [Start(5)]
    busy = promotion(4, 1, "running", step=Step.SYNC)
    (wait,) = next_of([waiting, busy], [promotion(1, 2)])
    assert isinstance(wait, Wait)
    assert "1.0.1" in wait.waits[0]


def test_a_promotion_that_lacks_its_configuration_makes_room() -> None:
    blocked = promotion(4, 1, "running", step=Step.KEYS)
    (end,) = next_of([promotion(5, 2, "waiting"), blocked], [promotion(1, 2)])
    assert (end.promotion, end.state) == (4, PromotionState.SUPERSEDED)


@pytest.mark.parametrize("kind", list(PromotionKind))
def test_where_a_range_is_followed_a_newer_release_overtakes_one_on_its_way(
    kind: PromotionKind,
) -> None:
    busy = promotion(4, 1, "running", step=Step.SYNC, kind=kind)
    two = {1: release(1), 2: release(2)}
    found = next_of([promotion(5, 2, "waiting"), busy], None, follows=">=0.0.0-0", releases=two)
    if kind is PromotionKind.PROMOTION:
        assert found == [End(4, PromotionState.SUPERSEDED, "1.0.2 came meanwhile")]
    else:
        assert isinstance(found[0], Wait)  # a way back names its version: it arrives


def test_of_two_that_wait_the_newer_counts() -> None:
    found = next_of([promotion(5, 2, "waiting"), promotion(4, 1, "waiting")], [promotion(1, 2)])
    assert found[0] == End(4, PromotionState.SUPERSEDED, "1.0.2 came meanwhile")
    assert found[1] == Start(5)


def test_a_way_back_goes_before_all_and_asks_no_gate() -> None:
    here = [promotion(5, 2, "waiting"), promotion(4, 1, "waiting", kind="rollback")]
    found = next_of(here, [promotion(1, 2)], gates={"approval": {}})
    assert [type(one) for one in found] == [End, Start]
    assert found[1] == Start(4)


def test_gates_hold_it_back_and_a_no_ends_it() -> None:
    waiting = promotion(5, 2, "waiting")
    (wait,) = next_of([waiting], [promotion(1, 2)], gates={"approval": {}})
    assert isinstance(wait, Wait)
    said = replace(waiting, waits=wait.waits)
    assert next_of([said], [promotion(1, 2)], gates={"approval": {}}) == []
    no = Approval(release=2, environment="production", kind="approval", login="bob",
                  verdict=Verdict.NO)  # fmt: skip
    (end,) = next_of([waiting], [promotion(1, 2)], gates={"approval": {}}, approvals={2: [no]})
    assert end.state is PromotionState.REJECTED


def test_a_verification_is_started() -> None:
    gates = {"verification": {"analysis": {"template": "smoke"}}}
    found = next_of([promotion(5, 2, "waiting")], [promotion(1, 2)], gates=gates)
    assert isinstance(found[0], Verify)


@pytest.mark.parametrize(
    ("lane_of", "good", "last"),
    [
        ([], [], None),
        ([promotion(1, 1)], [1], None),
        ([promotion(1, 1), promotion(2, 2)], [2, 1], 1),
        ([promotion(1, 1), promotion(2, 2, bad="x")], [1], 1),
        ([promotion(1, 1), promotion(2, 2, "running")], [1], 1),
        ([promotion(1, 1), promotion(2, 2, bad="x"), promotion(3, 1, kind="rollback")], [1], None),
        ([promotion(1, 1), promotion(2, 2, bad="x"), promotion(3, 2)], [2, 1], 1),
    ],
)
def test_the_last_known_good(lane_of: list[Promotion], good: list[int], last: int | None) -> None:
    assert history.good(lane_of) == good
    assert history.last_good(lane_of) == last


def test_good_since_counts_from_the_first_of_an_unbroken_row() -> None:
    first, again = promotion(1, 1), promotion(2, 1)
    assert history.good_since([first, again], 1) == first.full
    between = [first, promotion(2, 2), promotion(3, 1, kind="rollback")]
    assert history.good_since(between, 1) == between[2].full
    assert history.good_since(between, 2) is None


# ---- random histories ----------------------------------------------------------------------------


class World:
    """Two environments of one service, moved by `decide` and by chance."""

    def __init__(self) -> None:
        self.releases: dict[int, Release] = {}
        self.lanes: dict[str, list[Promotion]] = {"dev": [], "production": []}
        self.spec = delivery({"name": "dev"}, {"name": "production", "gates": {"approval": {}}})
        self.approved: dict[int, list[Approval]] = {}
        self.count = 0

    def do(self, what: str, place: str, *, good: bool) -> None:
        match what:
            case "release":
                number = len(self.releases) + 1
                self.releases[number] = release(number)
            case "approve":
                waiting = PromotionState.WAITING
                for one in [o for o in self.lanes["production"] if o.state is waiting]:
                    yes = Approval(release=one.release, environment="production",
                                   kind="approval", login="bob", verdict=Verdict.YES)  # fmt: skip
                    self.approved[one.release] = [yes]
            case "finish":
                self._finish(place, good=good)
            case "rollback":
                self._rollback(place)
        for name in self.lanes:
            self._decide(name)

    def _new(self, place: str, of: int, kind: PromotionKind, state: PromotionState) -> None:
        self.count += 1
        made = promotion(self.count, of, state, kind=kind, environment=place)
        self.lanes[place].append(made)

    def _set(self, place: str, number: int, **values: Any) -> None:
        self.lanes[place] = [
            replace(one, **values) if one.id == number else one for one in self.lanes[place]
        ]

    def _finish(self, place: str, *, good: bool) -> None:
        one = history.running(self.lanes[place])
        if one is None:
            return
        self.count += 1
        if good:
            self._set(place, one.id, state=PromotionState.PASSED, full=self.count)
            return
        self._set(place, one.id, state=PromotionState.FAILED, bad="no")
        back = [n for n in history.good(self.lanes[place]) if n != one.release]
        if back:
            self._new(place, back[0], PromotionKind.REVERT, PromotionState.WAITING)

    def _rollback(self, place: str) -> None:
        here = self.lanes[place]
        target, at = history.last_good(here), history.running(here) or history.current(here)
        if target is None or at is None:
            return
        for one in here:
            if not one.state.done:
                bad = "back" if one.release == at.release else ""
                self._set(place, one.id, state=PromotionState.CANCELLED, bad=bad)
        self._set(place, at.id, bad="back")
        self._new(place, target, PromotionKind.ROLLBACK, PromotionState.WAITING)

    def _decide(self, place: str) -> None:
        before = self.lanes["dev"] if place == "production" else None
        environment = self.spec.environment(place)
        assert environment is not None
        found = Lane(
            environment=environment, service="web", releases=self.releases,
            here=self.lanes[place], before=before, before_name="dev", approvals=self.approved,
        )  # fmt: skip
        for action in decide.decide(found, NOW).actions:
            match action:
                case Offer(number):
                    assert number not in history.bad(self.lanes[place])
                    kinds = PromotionKind.PROMOTION, PromotionState.WAITING
                    self._new(place, number, *kinds)
                case Start(number):
                    self._start(place, number)
                case End(number, state, message):
                    self._set(place, number, state=state, message=message)
                case Wait(number, waits):
                    self._set(place, number, waits=waits)

    def _start(self, place: str, number: int) -> None:
        assert history.running(self.lanes[place]) is None, "two at once in one lane"
        (one,) = (each for each in self.lanes[place] if each.id == number)
        forward = one.kind is PromotionKind.PROMOTION
        if place == "production" and forward:
            assert one.release in self.approved, "without its approval"
            assert history.was_good(self.lanes["dev"], one.release), "out of order"
        if forward:
            assert one.release not in history.bad(self.lanes[place]), "a bad one again"
        self._set(place, number, state=PromotionState.RUNNING, step=Step.SYNC)


ACTS = st.tuples(
    st.sampled_from(["release", "approve", "finish", "finish", "rollback"]),
    st.sampled_from(["dev", "production"]),
    st.booleans(),
)


@given(st.lists(ACTS, max_size=40))
def test_any_history_keeps_order_gates_and_the_way_back(acts: list[tuple[str, str, bool]]) -> None:
    world = World()
    for what, place, good in acts:
        world.do(what, place, good=good)
        for here in world.lanes.values():
            assert sum(one.state is PromotionState.RUNNING for one in here) <= 1
            good_ones = history.good(here)
            assert all(history.was_good(here, number) for number in good_ones)
    for _ in range(6):  # left alone and with everything good, it comes to rest
        for place in world.lanes:
            world.do("finish", place, good=True)
    assert all(history.running(here) is None for here in world.lanes.values())
