"""A step: one container (or built-in plugin run) of a stage, and its log."""

from __future__ import annotations

from msgspec import Struct, field

from fairway.model.status import Status


class Step(Struct, frozen=True, kw_only=True):
    """A step as it is stored. Times in milliseconds UTC."""

    id: int
    stage: int
    number: int
    name: str
    status: Status
    attempt: int = 1
    exit_code: int = 0
    error: str = ""
    image: str = ""
    service: bool = False
    detach: bool = False
    ignored: bool = False
    depends_on: list[str] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    carried: int = 0
    started: int | None = None
    stopped: int | None = None


class Log(Struct, frozen=True, kw_only=True):
    """What is kept of one attempt's log. `size` and `raw` in bytes, `lines` counts whole lines."""

    id: int
    step: int
    attempt: int = 1
    size: int = 0
    raw: int = 0
    lines: int = 0
    done: bool = False
    truncated: bool = False
    removed: bool = False
    created: int = 0
