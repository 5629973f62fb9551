"""Durations as Go reads them."""

from __future__ import annotations

import pytest

from fairway.kit import goduration


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        ("+0", 0),
        ("5s", 5_000_000_000),
        ("1h15m30.918273645s", 4_530_918_273_645),
        ("-1.5h", -5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("9223372036854775807ns", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
        ("3µs", 3_000),
        ("1m1m", 120_000_000_000),
    ],
)
def test_a_duration_is_read(text: str, wanted: int) -> None:
    assert goduration.nanoseconds(text) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'time: invalid duration ""'),
        ("3", 'time: missing unit in duration "3"'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        (".s", 'time: invalid duration ".s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
    ],
)
def test_what_is_none_is_refused_in_gos_words(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^time: ") as raised:
        goduration.nanoseconds(text)
    assert str(raised.value) == sentence
