"""Sizes of memory as Docker writes them: `512m`, `1gb`, `1.5GiB`, or a number of bytes."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) ?([kKmMgGtTpP])?[iI]?[bB]?\Z")
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def size_bytes(text: str) -> int | None:
    """A size in bytes (units are powers of 1024); None when it cannot be read."""
    found = _SIZE.match(text)
    if found is None:
        return None
    size = float(found[1]) * 1024 ** _POWERS[(found[2] or "").lower()]
    return int(size) if size < 2**63 else None
