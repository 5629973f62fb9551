"""push-to-log: git push returning to the first line ÷ raw network, create, start (<= 1.3)."""

from __future__ import annotations

import time

from bench import replay, system
from bench.lib import finish, interleaved

from fairway.model.status import Status

ROUNDS = 9
PIPELINE = f"""kind: pipeline
name: bench
steps:
- {{name: hello, image: '{replay.IMAGE}', pull: never, commands: [echo hello]}}
"""


def main() -> None:
    """Run it."""
    fairway = system.up()
    work = fairway.repository(PIPELINE)
    count = 0

    def ours(_round: int) -> float:
        nonlocal count
        count += 1
        work.commit(f"change {count}")
        work.git("push", "-q", "origin", "main")
        began = time.perf_counter()
        first = _first_line(fairway, work.slug, count)
        fairway.finished(work.slug, count)
        return first - began

    def reference(_round: int) -> float:
        return replay.first_byte(["echo", "hello"])

    ours(0)
    mine, theirs = interleaved(ours, reference, ROUNDS)
    work.remove()
    finish("push-to-log", mine, theirs, "<= 1.3")


def _first_line(fairway: system.System, slug: str, number: int) -> float:
    status = ""
    while not (status and Status(status).done):
        try:
            for name, data in fairway.stream(f"/repos/{slug}/builds/{number}/stream?step=hello"):
                if name == "log" and data:
                    return time.perf_counter()
                status = data["status"] if name == "build" else status
        except RuntimeError as error:
            if " 404 " not in str(error):
                raise
        time.sleep(0.002)  # the push has returned, the build is being made
    raise RuntimeError(f"build {number} is {status} and has said nothing")


if __name__ == "__main__":
    main()
