"""The time of day."""

from __future__ import annotations

from fairway.kit import clock


def test_the_time_of_day_can_be_owned_by_a_test() -> None:
    former = clock.use(lambda: 12.5)
    try:
        assert clock.now() == 12_500
        assert clock.seconds() == 12.5
    finally:
        clock.use(former)


def test_times_are_shown_in_utc_with_milliseconds() -> None:
    assert clock.text(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert clock.text(None) is None
