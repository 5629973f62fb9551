"""The sparse index of a log: where every `STRIDE`th line begins. Pure.

Entry k (k = 0, 1, ...) is the byte offset at which line (k + 1) * STRIDE begins, counting lines
from 0, as eight bytes, big-endian. Beside the log it costs 8 bytes for 256 lines.
"""

from __future__ import annotations

import struct
from typing import Final

STRIDE: Final = 256
ENTRY: Final = 8


def extend(data: bytes, *, at: int, lines: int) -> tuple[bytes, int]:
    """Entries for the lines that `data` (which begins at byte `at`) completes, and the new count.

    `lines` is the count of whole lines before `data`.
    """
    total = lines + data.count(b"\n")
    entries = bytearray()
    line, place = lines, -1
    for wanted in range((lines // STRIDE + 1) * STRIDE, total + 1, STRIDE):
        while line < wanted:
            place = data.index(b"\n", place + 1)
            line += 1
        entries += struct.pack(">Q", at + place + 1)
    return bytes(entries), total


def entries(lines: int) -> int:
    """How many entries a log of so many whole lines has."""
    return lines // STRIDE


def slot(line: int) -> int:
    """Which entry to start from to find a line (counted from 0); -1 is the log's beginning."""
    return line // STRIDE - 1


def read(entry: bytes) -> int:
    """An entry's offset."""
    number: int = struct.unpack(">Q", entry)[0]
    return number
