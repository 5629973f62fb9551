"""When to try again. Pure."""

from __future__ import annotations

from typing import Final

from fairway.model.errors import Busy

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 300.0


class TooFast(Busy):
    """The other side asks for patience: `after_s` seconds."""

    code = "channel-busy"

    def __init__(self, name: str, after_s: float) -> None:
        super().__init__(f"{name} asks to be spoken to again in {after_s:.0f} s")
        self.after_s = after_s


def pause_s(error: Exception, tries: int) -> float:
    """Seconds until the next try after so many that failed: what was asked for, else doubling. It
    never gives up: a message waits for as long as its channel is away."""
    if isinstance(error, TooFast):
        return error.after_s
    doubled: float = _FIRST_S * 2.0 ** min(tries, 16)
    return min(doubled, _LONGEST_S)
