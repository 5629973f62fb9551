"""Times as Go prints them: `time.Duration` and reference-time layouts. Pure."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable
from typing import Final

_PARTS: Final[dict[str, Callable[[datetime.datetime], str]]] = {
    "January": lambda t: t.strftime("%B"),
    "Jan": lambda t: t.strftime("%b"),
    "Monday": lambda t: t.strftime("%A"),
    "Mon": lambda t: t.strftime("%a"),
    "MST": lambda t: t.strftime("%Z"),
    "2006": lambda t: f"{t.year:04d}",
    "-07:00": lambda t: _offset(t, ":"),
    "-0700": lambda t: _offset(t, ""),
    "Z07:00": lambda t: _offset(t, ":") if t.utcoffset() else "Z",
    "01": lambda t: f"{t.month:02d}",
    "02": lambda t: f"{t.day:02d}",
    "03": lambda t: f"{(t.hour + 11) % 12 + 1:02d}",
    "04": lambda t: f"{t.minute:02d}",
    "05": lambda t: f"{t.second:02d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "15": lambda t: f"{t.hour:02d}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "_2": lambda t: f"{t.day:2d}",
    "1": lambda t: str(t.month),
    "2": lambda t: str(t.day),
    "3": lambda t: str((t.hour + 11) % 12 + 1),
    "4": lambda t: str(t.minute),
    "5": lambda t: str(t.second),
}
_TOKEN: Final = re.compile("|".join(re.escape(part) for part in _PARTS))


def duration(seconds: int) -> str:
    """`1h2m3s`, as Go prints whole seconds."""
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, left = divmod(left, 3600)
    minutes, rest = divmod(left, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{rest}s"
    return f"{sign}{minutes}m{rest}s" if minutes else f"{sign}{rest}s"


def moment(timestamp: int, layout: str, zone: str) -> str:
    """A time by a layout of Go's reference time (`2006-01-02 15:04:05`), in a zone or UTC."""
    try:
        place: datetime.tzinfo = zoneinfo.ZoneInfo(zone) if zone else datetime.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        place = datetime.UTC
    when = datetime.datetime.fromtimestamp(timestamp, place)
    return _TOKEN.sub(lambda found: _PARTS[found[0]](when), layout)


def _offset(when: datetime.datetime, between: str) -> str:
    text = when.strftime("%z")
    return f"{text[:3]}{between}{text[3:5]}"
