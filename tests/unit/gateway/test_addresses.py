"""Who gets which address of the range."""

from __future__ import annotations

from fairway.gateway.addresses import Wish, assign
from fairway.gateway.snapshot import Ref

A, B, C, D = (Ref("Gateway", "shop", name) for name in "abcd")
NET = "10.0.0.0/29"  # six addresses


def test_the_oldest_gets_the_lowest_and_the_ends_are_nobodys() -> None:
    found = assign(NET, [Wish(A), Wish(B)], {}).addresses
    assert found == {A: ("10.0.0.1",), B: ("10.0.0.2",)}


def test_an_address_stays_when_an_older_object_appears() -> None:
    before = assign(NET, [Wish(B)], {}).addresses
    assert assign(NET, [Wish(A), Wish(B)], before).addresses == {A: ("10.0.0.2",), B: ("10.0.0.1",)}


def test_a_status_is_memory_enough_after_a_restart() -> None:
    found = assign(NET, [Wish(A), Wish(B, shown=("10.0.0.5",))], {}).addresses
    assert found == {A: ("10.0.0.1",), B: ("10.0.0.5",)}


def test_a_status_that_lies_gives_nothing() -> None:
    shown = ("192.0.2.1", "10.0.0.0", "10.0.0.7", "no address")
    assert assign(NET, [Wish(A, shown=shown)], {}).addresses == {A: ("10.0.0.1",)}


def test_two_that_show_one_address_do_not_share_it() -> None:
    wishes = [Wish(A, shown=("10.0.0.3",)), Wish(B, shown=("10.0.0.3",))]
    assert assign(NET, wishes, {}).addresses == {A: ("10.0.0.3",), B: ("10.0.0.1",)}


def test_a_fixed_wish_is_met_or_said_to_be_unusable() -> None:
    wishes = [Wish(A, fixed=("10.0.0.2", "192.0.2.1")), Wish(B, fixed=("10.0.0.2",)), Wish(C)]
    found = assign(NET, wishes, {})
    assert found.addresses == {A: ("10.0.0.2",), C: ("10.0.0.1",)}
    assert found.unusable == {
        A: {"192.0.2.1": "is not an address of 10.0.0.0/29"},
        B: {"10.0.0.2": "belongs to Gateway shop/a"},
    }


def test_nobody_is_moved_for_a_fixed_wish() -> None:
    before = {B: ("10.0.0.2",)}
    found = assign(NET, [Wish(A, fixed=("10.0.0.2",)), Wish(B)], before)
    assert found.addresses == before
    assert set(found.unusable) == {A}


def test_whoever_gives_up_a_fixed_wish_keeps_one_address() -> None:
    before = {A: ("10.0.0.2", "10.0.0.3")}
    assert assign(NET, [Wish(A)], before).addresses == {A: ("10.0.0.2",)}


def test_a_range_that_is_used_up_gives_the_youngest_nothing() -> None:
    wishes = [Wish(A), Wish(B), Wish(C)]
    assert set(assign("10.0.0.0/30", wishes, {}).addresses) == {A, B}
    assert assign("10.0.0.9/32", [Wish(D)], {}).addresses == {D: ("10.0.0.9",)}
