"""one-app-sync: a commit that changes one of 100 applications → it is Synced, p50, seconds.

Argo CD 3.5.7 needed 4.3 s on the same ground, tuned and told which paths concern which application
0.74 s. Here nothing says so.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.applications import bench, hold, settled

from fairway.testing.apiserver import ApiServer

BAR = "<= 0.4"
NEEDS = ("native",)
COUNT = 100
ROUNDS = 11


def main() -> None:
    """Run it."""
    hold("one-app-sync", BAR, measured, applications=COUNT)


async def measured(server: ApiServer, where: Path) -> list[float]:
    """Seconds of each round, each on another application."""
    found = []
    async with bench(server, where, COUNT) as ground:
        for number in range(ROUNDS):
            at = number * 9 % COUNT
            ground.repo.write(range(at, at + 1), f"round {number}")
            revision = ground.repo.push(f"round {number}")
            began = time.perf_counter()
            ground.told()
            ended = await ground.until(settled(revision), {f"app-{at:03}"}, 60)
            found.append(ended - began)
            print(f"round {number + 1}: {found[-1]:.3f} s", flush=True)
            await asyncio.sleep(6)  # the others' new revision is written meanwhile
    return found


if __name__ == "__main__":
    main()
