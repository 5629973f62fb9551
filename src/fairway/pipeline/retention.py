"""What of finished builds is removed, by age and size. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from fairway.model.step import Log

_DAY_MS: Final = 24 * 3600 * 1000


class Limits(Struct, frozen=True, kw_only=True):
    """How long and how much is kept; 0 is without limit."""

    logs_days: float = 90
    logs_bytes: int = 20 * 1024**3
    events_days: float = 30
    builds_days: float = 365
    builds_count: int = 10_000
    free_space_bytes: int = 2 * 1024**3


def logs_to_remove(kept: Sequence[Log], limits: Limits, now: int) -> list[Log]:
    """Whole logs that go: those past their age, then the eldest until the rest fits."""
    gone: list[Log] = []
    size = sum(log.size for log in kept)
    for log in sorted(kept, key=lambda one: (one.created, one.id)):
        old = limits.logs_days > 0 and log.created < now - limits.logs_days * _DAY_MS
        much = 0 < limits.logs_bytes < size
        if old or much:
            gone.append(log)
            size -= log.size
    return gone


def events_before(limits: Limits, now: int) -> int:
    """Events older than this go; 0 is none."""
    return _before(limits.events_days, now)


def builds_before(limits: Limits, now: int) -> int:
    """Builds that ended earlier go, with all that is known of them; 0 is none."""
    return _before(limits.builds_days, now)


def _before(days: float, now: int) -> int:
    return int(now - days * _DAY_MS) if days > 0 else 0
