"""The reader of YAML: places, merges, limits."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit.yaml import Limits, compose, decode, entries, load
from fairway.model.errors import BadFile


def test_nodes_know_their_line_and_column() -> None:
    node = compose("a: 1\nb:\n  - x\n  - y: z\n", first_line=10)
    assert node is not None
    (_key, items) = entries(node)["b"]
    assert (items.items[1].line, items.items[1].column) == (13, 5)


def test_the_text_of_a_scalar_is_kept_as_written() -> None:
    node = compose("[1.10, yes, 0x1F, 'no', ~]")
    assert node is not None
    assert [item.text for item in node.items] == ["1.10", "yes", "0x1F", "no", "~"]
    assert [item.plain for item in node.items] == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# only a comment", None),
        ("{a: 1, a: 2}", {"a": 2}),
        ("x: &x {a: 1, b: 1}\ny: {a: 2, <<: *x}", {"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 1}}),
        ("x: &x {a: 1}\ny: {<<: *x, a: 2}", {"x": {"a": 1}, "y": {"a": 2}}),
        ("[{<<: [{a: 1}, {a: 2, b: 2}]}]", [{"a": 1, "b": 2}]),
        ("{'<<': 1}", {"<<": 1}),
        ("1: one", {"1": "one"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ],
)
def test_a_document_becomes_data(text: str, data: object) -> None:
    assert load(text) == data


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        ("a: [", "f:2:1", "not-yaml"),
        ("a: *x", "f:1:4", "yaml-anchor"),
        ("a: &x [*x]", "f:1:8", "yaml-anchor"),
        ("{a: b}: c\n[x]: y", "f:1:1", "yaml-key"),
        ("<<: x", "f:1:5", "yaml-merge"),
        ("a: \x07", "f:1:4", "not-yaml"),
        ("é: 1\nb: \x07", "f:2:4", "not-yaml"),
        ("a: !!float x", "f:1:4", "yaml-value"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, where: str, code: str) -> None:
    with pytest.raises(BadFile) as caught:
        load(text, name="f")
    assert (caught.value.where, caught.value.code) == (where, code)


def test_a_second_document_is_refused() -> None:
    with pytest.raises(BadFile, match="second document"):
        load("a: 1\n---\nb: 2\n")


def test_limits_hold() -> None:
    small = Limits(size_bytes=100, nodes=10, depth=3)
    with pytest.raises(BadFile, match="larger than 100"):
        load("a" * 101, limits=small)
    with pytest.raises(BadFile, match="more than 10 values"):
        load(str(list(range(11))), limits=small)
    with pytest.raises(BadFile, match="nested deeper than 3"):
        load("[[[[1]]]]", limits=small)
    assert load("[[[1]]]", limits=small) == [[[1]]]


def test_aliases_nest_as_what_they_stand_for() -> None:
    chain = "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}]\n" for n in range(1, 300))
    with pytest.raises(BadFile, match="nested deeper than 100 levels, aliases expanded"):
        load(chain)
    assert load("x: &x [1]\ny: [*x]") == {"x": [1], "y": [[1]]}


def test_aliases_count_as_what_they_stand_for() -> None:
    with pytest.raises(BadFile, match="aliases expanded"):
        load("x: &x [1, 2, 3, 4]\ny: [*x, *x]", limits=Limits(nodes=12))


def test_bytes_are_utf_8_with_or_without_a_mark() -> None:
    assert decode(b"\xef\xbb\xbfa: 1") == "a: 1"
    with pytest.raises(BadFile) as caught:
        decode(b"a: 1\nb: \xff", name="f")
    assert caught.value.where == "f:2:1"


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_data_or_a_bad_file(text: str) -> None:
    with suppress(BadFile):
        load(text)
