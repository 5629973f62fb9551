"""log-flood: 100,000 lines stored and followed live ÷ `docker run` to a file (<= 1.5)."""

from __future__ import annotations

import subprocess
import tempfile
import time

from bench import replay, system
from bench.lib import finish, interleaved

LINES = 100_000
ROUNDS = 5
COMMAND = (
    f"awk 'BEGIN {{ for (i = 1; i <= {LINES}; i++)"
    ' print "line", i, "of a long log that somebody will read" }\''
)
PIPELINE = f"""kind: pipeline
name: bench
clone: {{disable: true}}
steps:
- name: flood
  image: '{replay.IMAGE}'
  pull: never
  commands:
  - |
    {COMMAND}
"""


def main() -> None:
    """Run it."""
    fairway = system.up()
    work = fairway.repository(PIPELINE)
    lost = 0

    def ours(_round: int) -> float:
        nonlocal lost
        began = time.perf_counter()
        number = fairway.start(work.slug)
        followed = _follow(fairway, work.slug, number)
        took = time.perf_counter() - began
        kept = fairway.call("GET", f"/repos/{work.slug}/builds/{number}")
        lines = kept["stages"][0]["steps"][0]["log_lines"]
        lost += max(LINES + 1 - followed, 0) + max(LINES + 1 - lines, 0)
        return took

    def reference(_round: int) -> float:
        with tempfile.TemporaryFile() as out:
            began = time.perf_counter()
            command = ["docker", "run", "--rm", replay.IMAGE, "sh", "-c", COMMAND]
            subprocess.run(command, stdout=out, check=True)
            return time.perf_counter() - began

    ours(0)
    mine, theirs = interleaved(ours, reference, ROUNDS)
    work.remove()
    assert lost == 0, f"{lost} lines were lost"
    finish("log-flood", mine, theirs, "<= 1.5", lost=lost)


def _follow(fairway: system.System, slug: str, number: int) -> int:
    """Read the log live to its end; returns how many lines came."""
    lines = 0
    for name, data in fairway.stream(f"/repos/{slug}/builds/{number}/stream"):
        if name == "log":
            lines += data["text"].count("\n")
    return lines


if __name__ == "__main__":
    main()
