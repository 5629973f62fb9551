"""Globs of conditions, and patterns of substitution."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.pipeline.compile import glob, trim

YES = [
    ("", ""),
    ("**", ""),
    ("**", "a/b"),
    ("a/**/b", "a/b"),
    ("a/**/b", "a/x/y/b"),
    ("**/b", "b"),
    ("*/*", "a/b"),
    ("a?c", "abc"),
    ("[a-c]x", "bx"),
    ("[^a-c]x", "dx"),
    (r"\*", "*"),
    ("{a,b{c,d}}e", "bde"),
    ("v{1,2}.*", "v2.0"),
    ("***", "a"),
    ("a**", "a"),
    ("refs/{heads,tags}/**", "refs/tags/v1"),
]
NO = [
    ("", "a"),
    ("*", "a/b"),
    ("a/**", "a"),
    ("a?c", "a/c"),
    ("[^a]", "/"),
    ("**", None),
    ("a", "ab"),
    ("[]a]", "]"),
    ("[a-]", "-"),
    ("[-a]", "-"),
    ("***", ""),
    ("{**/a,b}", "x"),
    ("{**,b}", "a/c"),
    ("a**", "a/b"),
    ("[z-a]", "m"),
]


@pytest.mark.parametrize(("pattern", "name"), YES)
def test_the_pattern_matches(pattern: str, name: str) -> None:
    assert glob.match(pattern, name)


@pytest.mark.parametrize(("pattern", "name"), [pair for pair in NO if pair[1] is not None])
def test_the_pattern_does_not_match(pattern: str, name: str) -> None:
    assert not glob.match(pattern, name)


@pytest.mark.parametrize(
    "pattern", ["[", "[]", "[]a]", "[-a]", "[^]", "{a", "a\\", "[a-", "{a,[}", "{a}" * 300]
)
def test_a_broken_pattern_matches_nothing(pattern: str) -> None:
    assert not glob.match(pattern, pattern)


@given(st.text("ab*?[]{},/\\^!-", max_size=12), st.text("ab/", max_size=8))
@settings(max_examples=400, deadline=None)
def test_any_pattern_gives_an_answer(pattern: str, name: str) -> None:
    assert glob.match(pattern, name) in {True, False}
    assert glob.is_broken(pattern) in {True, False}


@given(st.text("ab/", max_size=10))
def test_a_name_without_signs_matches_itself(name: str) -> None:
    assert glob.match(name, name)


@pytest.mark.parametrize(
    ("text", "pattern", "shortest", "longest"),
    [
        ("a.b.c", "*.", "b.c", "c"),
        ("path/to/x", "*/", "to/x", "x"),
        ("abc", "x", "abc", "abc"),
        ("abc", "[ab]", "bc", "bc"),
        ("abc", "", "abc", "abc"),
        ("abc", "[", "abc", "abc"),
    ],
)
def test_a_prefix_is_cut(text: str, pattern: str, shortest: str, longest: str) -> None:
    assert trim.prefix(text, pattern, longest=False) == shortest
    assert trim.prefix(text, pattern, longest=True) == longest


def test_a_suffix_is_cut() -> None:
    assert trim.suffix("a.b.c", ".*", longest=False) == "a.b"
    assert trim.suffix("a.b.c", ".*", longest=True) == "a"
    assert trim.suffix("abc", "[bc]", longest=False) == "abc"
