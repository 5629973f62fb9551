"""The sparse index says where every 256th line begins, however the log came in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairway.log import index


@given(st.integers(0, 1500), st.lists(st.integers(1, 3000), max_size=8), st.binary(max_size=5))
def test_the_index_is_the_same_however_a_log_is_cut(
    lines: int, cuts: list[int], rest: bytes
) -> None:
    data = b"".join(b"%d\n" % (number * 7) for number in range(lines)) + rest.replace(b"\n", b"")
    starts = [0] + [place + 1 for place, byte in enumerate(data) if byte == 10]
    entries, total, at = b"", 0, 0
    for size in [*cuts, len(data) + 1]:
        piece = data[at : at + size]
        more, total = index.extend(piece, at=at, lines=total)
        entries += more
        at += len(piece)
    assert total == lines
    assert len(entries) == index.entries(total) * index.ENTRY
    for slot in range(index.entries(total)):
        entry = entries[slot * index.ENTRY : (slot + 1) * index.ENTRY]
        assert index.read(entry) == starts[(slot + 1) * index.STRIDE]


def test_a_line_is_looked_for_from_the_entry_before_it() -> None:
    assert [index.slot(line) for line in (0, 255, 256, 511, 512)] == [-1, -1, 0, 0, 1]
