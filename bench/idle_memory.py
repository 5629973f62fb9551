"""idle-memory: proportional set size of Fairway's Python processes, MB (<= 180)."""

from __future__ import annotations

import time
from pathlib import Path

from bench import system
from bench.lib import finish

QUIET_S = 20
SAMPLES = 5


def main() -> None:
    """Run it: after builds, pushes and pulls of other benchmarks as much as after a fresh start."""
    system.up()
    time.sleep(QUIET_S)
    found = []
    for _ in range(SAMPLES):
        found.append(sum(_pss_mb(pid) for pid in _ours()))
        time.sleep(1)
    finish("idle-memory", found, [1.0], "<= 180")


def _ours() -> list[int]:
    """Python processes of the benchmarks' Fairway, and what they started."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _is_ours(pid)]


def _is_ours(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"fairway" in command and str(system.DATA).encode() in command


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
