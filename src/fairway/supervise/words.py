"""A component's log: its last words, and its size."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
from pathlib import Path
from typing import Final

_TAIL: Final = 16 * 1024
_LONGEST: Final = 400
_SEARCHED: Final = 40
# klog's E and F lines, logfmt's levels, JSON's levels, and what programs print when they give up
_GRAVE: Final = re.compile(
    r'^[EF]\d{4} |level=(error|fatal)|"level":"(error|fatal)"|^(error|fatal|panic|plugin/)\b',
    re.IGNORECASE,
)


def last_words(log: Path, begin: int = 0) -> str:
    """The last grave line that was written from `begin` on, else the last one; "" for none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL, begin if begin <= size else 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    grave = [line for line in lines[-_SEARCHED:] if _GRAVE.search(line)]
    return (grave or lines or [""])[-1][:_LONGEST]


def size(log: Path) -> int:
    """Bytes of a log; 0 when there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def rotate(log: Path, limit: int) -> bool:
    """Copy a log of more than `limit` bytes to `NAME.1` and empty it; whether it was.

    The process goes on writing to the same file, at its end; what it writes between copy and
    emptying is lost. Errors (a full disk) leave the log as it is.
    """
    if size(log) <= limit:
        return False
    with contextlib.suppress(OSError):
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        with log.open("r+b") as file:
            file.truncate(0)
        return True
    return False


def ending(status: int | None) -> str:
    """A wait status in words; None where it is not known (a former Fairway's child)."""
    if status is None:
        return "it ended"
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it ended with exit status {status}"
