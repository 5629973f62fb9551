"""A cron job: builds a branch at stated minutes of a time zone."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Missed(StrEnum):
    """What becomes of minutes that passed while nobody looked."""

    ONCE = "once"  # the latest of them, once
    SKIP = "skip"  # none
    ALL = "all"  # each, up to a bound


class Cron(Struct, frozen=True, kw_only=True):
    """Times in milliseconds UTC."""

    id: int
    repository: int
    name: str
    expression: str
    timezone: str = "UTC"
    branch: str = ""  # "": the default branch
    missed: Missed = Missed.ONCE
    disabled: bool = False
    next_at: int = 0
    last_at: int | None = None
    error: str = ""
    created: int = 0
