"""How far a build of native/ is: on the terminal, and in a file for Fairway and for who waits."""

from __future__ import annotations

import contextlib
import sys
import time

from fairwaydev.say import ROOT

LINKS = ROOT / ".cache" / "native"  # where Fairway looks: programs.py in src/fairway/native


class Line:
    """One line that is rewritten on a terminal, and written seldom elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._last = time.monotonic() - 45

    def show(self, text: str) -> None:
        """Say how far it is."""
        now = time.monotonic()
        if self._shown:
            sys.stderr.write(f"\r\033[K    fairway-native: {text}")
        elif now - self._last >= 60:
            sys.stderr.write(f"    fairway-native: {text}\n")
        else:
            return
        self._last = now
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal's line empty."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def under_way() -> str:
    """What a build of this checkout says of itself; "" when none does."""
    with contextlib.suppress(OSError):
        return (LINKS / "progress").read_text().strip()
    return ""


class Progress:
    """Counts the packages that Go says it compiles, for the terminal and for who waits."""

    def __init__(self, packages: int, last: float) -> None:
        self._packages, self._last = packages, last
        self._compiled, self._began = 0, time.monotonic()
        self._line, self._told = Line(), 0.0

    def text(self) -> str:
        """How far it is."""
        spent = time.monotonic() - self._began
        usual = f"; from nothing it took {_minutes(self._last)}" if self._last else ""
        return f"{self._compiled} of at most {self._packages} packages, {_minutes(spent)}{usual}"

    def compiled(self) -> None:
        """One package more."""
        self._compiled += 1
        if time.monotonic() - self._told > 0.5:
            self.tell()

    def tell(self) -> None:
        """Show it."""
        self._told = time.monotonic()
        self._line.show(self.text())
        partial = LINKS / ".progress"
        partial.write_text(self.text() + "\n")
        partial.replace(LINKS / "progress")

    def end(self) -> tuple[int, float]:
        """No longer under way. Returns how much it was, and the seconds."""
        self._line.end()
        (LINKS / "progress").unlink(missing_ok=True)
        return self._compiled, time.monotonic() - self._began


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
