"""Ranges of downloads and uploads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import InvalidInput
from fairway.oci import ranges
from fairway.oci.ranges import Unsatisfiable


@pytest.mark.parametrize(
    ("header", "size", "wanted"),
    [
        ("", 10, None),
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-9", 10, (0, 10)),
        ("bytes=3-", 10, (3, 10)),
        ("bytes=3-100", 10, (3, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-100", 10, (0, 10)),
        (" bytes = 1 - 2 ", 10, (1, 3)),
        ("bytes=5-2", 10, None),
        ("bytes=", 10, None),
        ("bytes=-", 10, None),
        ("bytes=1-2,4-5", 10, None),
        ("items=1-2", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=--1", 10, None),
        ("bytes=1", 10, None),
        ("bytes=" + "9" * 400 + "-", 10, None),
        ("bytes=٣-", 10, None),
    ],
)
def test_a_range_is_half_open_or_all(
    header: str, size: int, wanted: tuple[int, int] | None
) -> None:
    assert ranges.wanted(header, size) == wanted


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=11-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_outside_is_refused(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable) as error:
        ranges.wanted(header, size)
    assert (error.value.status, error.value.code) == (416, "range-not-satisfiable")


@given(st.text(), st.integers(0, 100))
def test_any_range_lies_within_the_content(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            span = ranges.wanted(text, size)
        except Unsatisfiable:
            continue
        assert span is None or 0 <= span[0] < span[1] <= size


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("0-0", (0, 1)),
        ("0-1023", (0, 1024)),
        ("bytes 5-9/*", (5, 10)),
        ("bytes 5-9/100", (5, 10)),
        ("bytes=5-9", (5, 10)),
    ],
)
def test_a_content_range_is_read(header: str, wanted: tuple[int, int]) -> None:
    assert ranges.sent(header) == wanted


@pytest.mark.parametrize("header", ["", "-", "1-", "-1", "5-4", "a-b", "1-2-3", "0-" + "9" * 50])
def test_a_malformed_content_range_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput) as error:
        ranges.sent(header)
    assert error.value.code == "bad-content-range"
