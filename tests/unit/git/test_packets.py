"""Reading a push before git does, and its report afterwards."""

from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.git.packets import Command, Inflater, PushReader, ReportReader
from fairway.model.errors import InvalidInput, TooLarge

ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def line(text: bytes) -> bytes:
    return b"%04x%s" % (len(text) + 4, text)


def command(before: str, after: str, ref: str) -> bytes:
    return f"{before} {after} {ref}".encode()


PUSH = (
    line(command(ZERO, ONE, "refs/heads/main") + b"\x00 report-status push-options\n")
    + line(command(ONE, TWO, "refs/heads/ü/x") + b"\n")
    + line(command(TWO, ZERO, "refs/tags/v1"))
    + b"0000"
    + line(b"ci.skip")
    + line(b"a=b c\n")
    + b"0000PACK....."
)


@given(st.lists(st.integers(1, 60), max_size=30))
def test_a_push_reads_alike_however_it_is_cut(sizes: list[int]) -> None:
    reader, at = PushReader(), 0
    for size in [*sizes, len(PUSH)]:
        reader.feed(PUSH[at : at + size])
        at += size
    assert reader.done
    assert reader.head.commands == [
        Command("refs/heads/main", "", ONE),
        Command("refs/heads/ü/x", ONE, TWO),
        Command("refs/tags/v1", TWO, ""),
    ]
    assert reader.head.options == ["ci.skip", "a=b c"]
    assert "report-status" in reader.head.capabilities


def test_without_the_capability_there_are_no_options() -> None:
    reader = PushReader()
    reader.feed(line(command(ZERO, ONE, "refs/heads/main") + b"\x00 report-status") + b"0000")
    assert reader.done
    assert reader.head.options == []


def test_shallow_lines_are_no_commands() -> None:
    reader = PushReader()
    reader.feed(line(b"shallow " + ONE.encode()) + b"0000")
    assert reader.done
    assert reader.head.commands == []


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_in_an_undrawn_way(data: bytes) -> None:
    reader = PushReader()
    with contextlib.suppress(InvalidInput):
        reader.feed(data)
    assert not reader.head.commands or reader.head.commands[0].ref.startswith("refs/")


def test_a_push_of_endless_commands_is_refused() -> None:
    reader = PushReader()
    many = b"".join(line(command(ZERO, ONE, f"refs/heads/{n}")) for n in range(1000))
    for _ in range(30):
        reader.feed(many)
    with pytest.raises(TooLarge):
        reader.feed(many * 20)


def test_too_many_options_are_refused() -> None:
    reader = PushReader()
    head = line(command(ZERO, ONE, "refs/heads/main") + b"\x00 push-options") + b"0000"
    with pytest.raises(InvalidInput, match="push options"):
        reader.feed(head + line(b"o") * 65)


def band(number: int, data: bytes) -> bytes:
    return line(bytes([number]) + data)


REPORT = line(b"unpack ok\n") + line(b"ok refs/heads/a\n") + line(b"ng refs/heads/b no\n") + b"0000"
ANSWER = (
    band(2, b"progress")
    + b"0005\x01"
    + band(2, b"more")
    + band(1, REPORT)
    + band(2, b"x")
    + b"0000"
)


@given(st.lists(st.integers(1, 40), max_size=20))
def test_progress_passes_and_the_report_is_held(sizes: list[int]) -> None:
    reader, at, passed = ReportReader(banded=True), 0, b""
    for size in [*sizes, len(ANSWER)]:
        passed += reader.feed(ANSWER[at : at + size])
        at += size
    assert passed == band(2, b"progress") + b"0005\x01" + band(2, b"more")
    assert passed + reader.rest() == ANSWER
    assert reader.accepted() == {"refs/heads/a"}


def test_a_report_without_bands_is_held_whole() -> None:
    reader = ReportReader(banded=False)
    assert reader.feed(REPORT) == b""
    assert reader.rest() == REPORT
    assert reader.accepted() == {"refs/heads/a"}


def test_an_answer_without_a_report_does_not_say() -> None:
    reader = ReportReader(banded=True)
    reader.feed(band(2, b"fatal") + b"0000")
    assert reader.accepted() is None


def test_gzip_is_unpacked_in_pieces_and_must_be_right() -> None:
    inflater, packed = Inflater(), gzip.compress(PUSH)
    assert b"".join(inflater.feed(packed[n : n + 7]) for n in range(0, len(packed), 7)) == PUSH
    with pytest.raises(InvalidInput):
        Inflater().feed(b"not gzip at all")
