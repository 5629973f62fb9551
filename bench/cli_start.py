"""cli-start: `fairway --help` against `python -c "import msgspec"`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.lib import finish, interleaved

BAR = "<= 1.8"
ROUNDS = 25
HELP = [str(Path(sys.executable).with_name("fairway")), "--help"]
REFERENCE = [sys.executable, "-c", "import msgspec"]


def main() -> None:
    """Run both in turn, after one run each that fills the caches."""
    for command in (HELP, REFERENCE):
        _seconds(command)
    ours, reference = interleaved(
        lambda _: _seconds(HELP), lambda _: _seconds(REFERENCE), rounds=ROUNDS
    )
    finish("cli-start", ours, reference, BAR)


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
