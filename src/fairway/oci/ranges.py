"""HTTP ranges: `Range` of downloads and `Content-Range` of uploads."""

from __future__ import annotations

import re
from typing import Final

from fairway.model.errors import InvalidInput

_RANGE: Final = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.ASCII)
_CONTENT_RANGE: Final = re.compile(
    r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?"
)


class Unsatisfiable(InvalidInput):
    """The range lies outside of the content."""

    code = "range-not-satisfiable"
    status = 416


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """The half-open span of a `Range` header, or None when all is to be sent.

    A malformed header, or one with several ranges, is ignored, as RFC 9110 allows.
    Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first == "":
        length = int(last)
        start, end = max(0, size - length), size
        if not length:
            raise _outside(header, size)
    else:
        start = int(first)
        end = min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise _outside(header, size)
    return start, end


def sent(header: str) -> tuple[int, int]:
    """The half-open span of an upload's `Content-Range`: `0-1023` or `bytes 0-1023/*`.

    Raises InvalidInput (`bad-content-range`).
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise InvalidInput(
            f"Content-Range {header[:60]!r} is not START-END",
            code="bad-content-range",
            remedy="send the first and the last byte's number, as in 0-1023",
        )
    return int(match.group(1)), int(match.group(2)) + 1


def _outside(header: str, size: int) -> Unsatisfiable:
    return Unsatisfiable(
        f"the range {header[:60]!r} lies outside of {size} bytes", remedy="ask for less"
    )
