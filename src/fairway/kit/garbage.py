"""How often Python looks for what only refers to itself."""

from __future__ import annotations

import gc
from typing import Final

_OBJECTS: Final = 20_000


def look_seldom() -> None:
    """Look when 20,000 more objects have been made than have gone, not 700.

    What a server makes for each statement and request refers to itself only seldom, and goes by
    itself. Looking after each 700 takes an eighth of its start, and up to a third of its time.
    """
    gc.set_threshold(_OBJECTS)
