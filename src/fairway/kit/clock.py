"""The time of day, which the simulated world can own.

Times are integers: milliseconds since 1970 in UTC. Durations inside the process are float seconds
of the loop's own clock (`asyncio.get_running_loop().time()`), which no change of the wall clock
moves.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import NewType

Millis = NewType("Millis", int)

_read: Callable[[], float] = time.time


def now() -> Millis:
    """The time of day in milliseconds since 1970, UTC."""
    return Millis(int(_read() * 1000))


def seconds() -> float:
    """The time of day in seconds since 1970, UTC."""
    return _read()


def use(read: Callable[[], float]) -> Callable[[], float]:
    """Replace the source of the time of day; returns the former one. For the simulated world."""
    global _read
    former, _read = _read, read
    return former


def text(at: int | None) -> str | None:
    """A time as RFC 3339 in UTC with milliseconds, as our API shows it."""
    if at is None:
        return None
    moment = datetime.datetime.fromtimestamp(at / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
