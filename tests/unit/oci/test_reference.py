"""Names, tags and references."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import InvalidInput
from fairway.oci import reference
from fairway.oci.reference import Reference

DIGEST = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("busybox", Reference("", "busybox")),
        ("busybox:1.36", Reference("", "busybox", "1.36")),
        ("library/busybox", Reference("", "library/busybox")),
        ("a/b/c:d", Reference("", "a/b/c", "d")),
        ("localhost/a", Reference("localhost", "a")),
        ("localhost:5000/a:b", Reference("localhost:5000", "a", "b")),
        ("127.0.0.1:8080/org/name", Reference("127.0.0.1:8080", "org/name")),
        ("[::1]:8080/org/name:1", Reference("[::1]:8080", "org/name", "1")),
        ("registry.example.org/a", Reference("registry.example.org", "a")),
        (f"a/b@{DIGEST}", Reference("", "a/b", "", DIGEST)),
        (f"h.io/a/b:t@{DIGEST}", Reference("h.io", "a/b", "t", DIGEST)),
        ("a-b_c__d/e.f---g", Reference("", "a-b_c__d/e.f---g")),
    ],
)
def test_a_reference_is_read_and_written_again(text: str, wanted: Reference) -> None:
    found = reference.parse(text)
    assert found == wanted
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "@",
        "/a",
        "a/",
        "a//b",
        "A/b",
        "a b",
        "a:",
        "a:b:c",
        "a:-x",
        "a:" + "x" * 129,
        "a@sha256:1",
        "a@",
        "a.b_/c",
        "-a",
        "a-",
        "a___b",
        "http://a/b",
        "bad host!/a",
        "h.io:123456/a",
        "a/../b",
        "a\n",
        "x" * 256,
        "${IMAGE}",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        reference.parse(text)
    assert error.value.code in {"bad-image-reference", "bad-digest"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("a/b", True),
        ("a..b", False),
        ("", False),
    ],
)
def test_names_have_a_grammar_and_a_length(name: str, wanted: bool) -> None:
    assert reference.is_name(name) is wanted


@pytest.mark.parametrize("char", ["-", "_", ".", "/", "a-", "a/", "__"])
def test_long_hostile_names_are_judged_at_once(char: str) -> None:
    began = time.process_time()
    assert not reference.is_name(char * 200 + "!")
    assert not reference.is_name("a" + char * 100_000 + "!")
    assert time.process_time() - began < 1


@given(st.text())
def test_reading_a_reference_raises_nothing_else(text: str) -> None:
    try:
        found = reference.parse(text)
    except InvalidInput:
        return
    assert str(found) == text
    assert reference.is_name(found.name)
