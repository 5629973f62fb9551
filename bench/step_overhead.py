"""step-overhead: builds of ten trivial steps ÷ raw Engine API replays of ten (<= 1.10)."""

from __future__ import annotations

import time

from bench import replay, system
from bench.lib import finish, interleaved

STEPS = 10
ROUNDS = 5
PIPELINE = "kind: pipeline\nname: bench\nclone: {disable: true}\nsteps:\n" + "".join(
    f"- {{name: s{number}, image: '{replay.IMAGE}', pull: never, commands: ['true']}}\n"
    for number in range(STEPS)
)


def main() -> None:
    """Run it."""
    fairway = system.up()
    work = fairway.repository(PIPELINE)

    def ours(_round: int) -> float:
        began = time.perf_counter()
        status = fairway.finished(work.slug, fairway.start(work.slug))
        assert status == "passed", status
        return time.perf_counter() - began

    def reference(_round: int) -> float:
        began = time.perf_counter()
        replay.build(STEPS)
        return time.perf_counter() - began

    ours(0)
    mine, theirs = interleaved(ours, reference, ROUNDS)
    work.remove()
    finish("step-overhead", mine, theirs, "<= 1.10")


if __name__ == "__main__":
    main()
