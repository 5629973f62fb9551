"""Ages, durations, sizes and cleaned words, as tables show them."""

from __future__ import annotations

import datetime
import re
from typing import Final

from fairway.kit import clock

_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: SGR among them
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC with their texts
    r"|\x1b[@-_]?",
    re.DOTALL,
)
_SGR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """One line for a table: names and titles come from strangers and must not steer a terminal."""
    flat = _ESCAPES.sub("", text).replace("\n", " ").replace("\t", " ")
    return _CONTROL.sub("?", flat)


def log_line(text: str, *, colours: bool) -> str:
    """A line of a log for a terminal: its colours stay, every other escape goes."""
    kept = _ESCAPES.sub(lambda m: m[0] if colours and _SGR.fullmatch(m[0]) else "", text)
    return _CONTROL.sub(lambda m: m[0] if m[0] in "\r\x1b" else "", kept)


def millis(text: str | None) -> int | None:
    """An RFC 3339 time as milliseconds UTC; None for none."""
    if not text:
        return None
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def span(seconds: float) -> str:
    """A duration by its two largest units: 1h3m, 4m12s, 7.3s."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    left = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return "".join(parts)


def age(at: str | None) -> str:
    """How long ago."""
    then = millis(at)
    if then is None:
        return ""
    return span(float(int((clock.now() - then) / 1000))).replace(".0s", "s")


def took(started: str | None, stopped: str | None) -> str:
    """How long it ran, or has been running."""
    begin, end = millis(started), millis(stopped)
    if begin is None:
        return ""
    return span(((end if end is not None else clock.now()) - begin) / 1000)


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in _SIZES:
        if value < 1024 or unit == _SIZES[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def seconds(text: str) -> float:
    """A duration as people write it: 90, 90s, 5m, 1h30m. Raises `ValueError`."""
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text)
    if found is None or not text:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m or 1h30m")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def short(sha: str) -> str:
    """A commit or a digest as people read it."""
    return sha.removeprefix("sha256:")[:12] if sha.startswith("sha256:") else sha[:8]
