"""burst: 50 one-step builds at once, builds/s ÷ raw replay at the same parallelism (>= 0.8)."""

from __future__ import annotations

import time

from bench import replay, system
from bench.lib import finish, interleaved

BUILDS = 50
ROUNDS = 2
PIPELINE = f"""kind: pipeline
name: bench
clone: {{disable: true}}
steps:
- {{name: one, image: '{replay.IMAGE}', pull: never, commands: ['true']}}
"""


def main() -> None:
    """Run it."""
    fairway = system.up()
    work = fairway.repository(PIPELINE)

    def ours(_round: int) -> float:
        began = time.perf_counter()
        numbers = [fairway.start(work.slug) for _ in range(BUILDS)]
        for number in numbers:
            status = fairway.finished(work.slug, number)
            assert status == "passed", status
        return BUILDS / (time.perf_counter() - began)

    def reference(_round: int) -> float:
        began = time.perf_counter()
        replay.burst(BUILDS, system.BUSY)
        return BUILDS / (time.perf_counter() - began)

    mine, theirs = interleaved(ours, reference, ROUNDS)
    work.remove()
    finish("burst", mine, theirs, ">= 0.8")


if __name__ == "__main__":
    main()
