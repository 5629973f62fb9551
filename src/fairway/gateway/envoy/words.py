"""What Envoy's own log says of configuration that it refused. Blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_REFUSED: Final = re.compile(
    r"Filesystem config update (?:rejected: |failure: in [^,]+, )(?P<message>.*)$"
)
_LONGEST: Final = 1000


class Words:
    """Envoy's log, read from where we stood."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = 0

    def skip(self) -> None:
        """What was said so far is of no interest."""
        self._place = self._size()

    def refusals(self) -> list[str]:
        """Envoy's messages about updates that it refused, since `skip`."""
        if self._size() < self._place:
            self._place = 0  # it was emptied
        try:
            with self._log.open("rb") as file:
                file.seek(self._place)
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        found = (_REFUSED.search(line) for line in text.splitlines())
        return [match["message"][:_LONGEST] for match in found if match]

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0


def named(message: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which of `names` Envoy's message is about; all of them where it names none."""
    everything = tuple(names)
    found = tuple(name for name in everything if f"{name}: " in message)
    return found or everything
