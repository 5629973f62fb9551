"""Durations as Go's `time.ParseDuration` reads them: `300ms`, `1h15m30.9s`, `-1.5h`, `0`."""

from __future__ import annotations

import re
from typing import Final

from fairway.kit.gotext import quote

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_MOST: Final = 2**63 - 1


def nanoseconds(text: str) -> int:
    """The duration. Raises `ValueError` with Go's sentence."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f"time: invalid duration {quote(text)}")
    total = 0
    while rest:
        found = _PART.match(rest)
        if found is None or not (found[1] or found[2]):
            raise ValueError(f"time: invalid duration {quote(text)}")
        total += _part(found, text)
        if total > _MOST + (text[0] == "-"):
            raise ValueError(f"time: invalid duration {quote(text)}")
        rest = rest[found.end() :]
    return -total if text[0] == "-" else total


def _part(found: re.Match[str], text: str) -> int:
    if not found[3]:
        raise ValueError(f"time: missing unit in duration {quote(text)}")
    unit = _UNITS.get(found[3])
    if unit is None:
        raise ValueError(f"time: unknown unit {quote(found[3])} in duration {quote(text)}")
    fraction = found[2] or ""
    # Go multiplies in binary floating point and cuts: below a nanosecond nothing counts.
    return int(found[1] or 0) * unit + int(int(fraction or 0) * (unit / 10 ** len(fraction)))


def seconds(text: str) -> float:
    """The duration in seconds. Raises as `nanoseconds` does."""
    return nanoseconds(text) / 1e9
