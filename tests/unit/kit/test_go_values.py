"""Scalars as go-yaml types them and texts as Go prints them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit.gotext import quote, to_json
from fairway.kit.scalar import go_float, go_text, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("Off", False),
        ("NULL", None),
        ("0", 0),
        ("00", 0),
        ("-0b11", -3),
        ("0X1f", 31),
        ("1_0.5", 10.5),
        (".5", 0.5),
        (".5e3", 500.0),
        ("1e+2", 100.0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775809", -9.223372036854775808e18),
        ("1e400", "1e400"),
        ("1e+400", "1e+400"),
        ("+", "+"),
        (".", "."),
        ("0x", "0x"),
        ("1:30", "1:30"),
        ("yEs", "yEs"),
        ("9" * 500, "9" * 500),
    ],
)
def test_a_plain_scalar_has_the_value_that_go_yaml_gives(text: str, value: object) -> None:
    found = resolve(text, plain=True)
    assert found == value
    assert type(found) is type(value)


def test_a_quoted_scalar_is_text() -> None:
    assert resolve("yes", plain=False) == "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (1.5, "1.5"),
        (100000.0, "100000"),
        (999999.0, "999999"),
        (1000000.0, "1e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.25e-7, "1.25e-07"),
        (123456.789, "123456.789"),
        (1e100, "1e+100"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_float_is_printed_as_strconv_does(value: float, text: str) -> None:
    assert go_float(value) == text


@given(st.floats(allow_nan=False))
def test_a_printed_float_reads_back(value: float) -> None:
    assert float(go_float(value)) == value


def test_other_values_are_printed_as_go_does() -> None:
    assert [go_text(value) for value in (None, True, False, 7, "x")] == [
        "",
        "true",
        "false",
        "7",
        "x",
    ]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('say "hi"', r'"say \"hi\""'),
        ("a\nb\t\\", r'"a\nb\t\\"'),
        ("\x01\x7f", r'"\x01\x7f"'),
        ("é€", '"é€"'),
        ("\u200b\U000e0001", r'"\u200b\U000e0001"'),
    ],
)
def test_a_text_is_quoted_as_go_does(text: str, quoted: str) -> None:
    assert quote(text) == quoted


JSON: list[tuple[Any, str]] = [
    ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
    ("<&>\u2028é", r'"\u003c\u0026\u003e\u2028é"'),
    (1.0, "1"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1e-7, "1e-7"),
    (0.000001, "0.000001"),
    (-1.5, "-1.5"),
    (0.0, "0"),
]


@pytest.mark.parametrize(("value", "text"), JSON)
def test_json_is_written_as_go_does(value: object, text: str) -> None:
    assert to_json(value) == text


def test_json_has_no_word_for_infinity() -> None:
    with pytest.raises(ValueError, match="Inf"):
        to_json([math.inf])
