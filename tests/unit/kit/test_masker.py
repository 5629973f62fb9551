"""The masker: whatever is cut, no secret passes and nothing else is lost."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit.secret import MASK, Masker

SECRETS = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=6), max_size=4)
TEXT = st.text(alphabet="abx\n", max_size=60).map(str.encode)


def masked(values: list[str], pieces: list[bytes]) -> bytes:
    masker = Masker(values)
    return b"".join([masker.feed(piece) for piece in pieces] + [masker.flush()])


@pytest.mark.parametrize(
    ("values", "text", "expected"),
    [
        ([], b"all stays", b"all stays"),
        (["hunter2"], b"pass hunter2!", b"pass ******!"),
        (["ab"], b"ab is too short to hide", b"ab is too short to hide"),
        (["abc", "abcdef"], b"abcdefg abcd", b"******g ******d"),
        (["line one\nline two\nx"], b"> line two <", b"> ****** <"),
        (["  padded  "], b"[padded]", b"[******]"),
        (["a.c+"], b"abcc a.c+", b"abcc ******"),
        (["käse"], "ein käse".encode(), b"ein ******"),
        (["aaa"], b"aaaaaaa", b"************a"),
        (["", "   "], b"   ", b"******"),
    ],
)
def test_values_are_replaced_and_nothing_else(
    values: list[str], text: bytes, expected: bytes
) -> None:
    assert masked(values, [text]) == expected


@given(values=SECRETS, text=TEXT, cuts=st.lists(st.integers(0, 60), max_size=8))
def test_the_output_is_the_same_however_the_input_is_cut(
    values: list[str], text: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    assert masked(values, pieces) == masked(values, [text])


@given(values=SECRETS, text=TEXT)
def test_no_secret_of_three_or_more_letters_passes(values: list[str], text: bytes) -> None:
    out = masked(values, [bytes([letter]) for letter in text])
    for value in values:
        if len(value) >= 3:
            assert value.encode() not in out.replace(MASK, b"*")


@given(values=SECRETS, text=TEXT, cut=st.integers(0, 60))
def test_a_new_masker_goes_on_where_the_kept_output_ends(
    values: list[str], text: bytes, cut: int
) -> None:
    first = Masker(values)
    out = first.feed(text[:cut])
    kept = len(text[:cut]) - first.held
    assert out + masked(values, [text[kept:]]) == masked(values, [text])


def test_an_undecided_beginning_is_held_and_an_ordinary_line_is_not() -> None:
    masker = Masker(["secret"])
    assert masker.feed(b"a line\n") == b"a line\n"
    assert masker.held == 0
    assert masker.feed(b"sec") == b""
    assert masker.held == 3
    assert masker.feed(b"ond\n") == b"second\n"


def test_many_secrets_and_a_large_piece_take_one_pass() -> None:
    values = [f"secret-number-{number:04d}" for number in range(200)]
    text = b"some ordinary output of a test run\n" * 20_000
    assert masked(values, [text + values[7].encode()]) == text + MASK
