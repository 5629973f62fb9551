"""apps-sync: a commit that changes all of 100 applications → all Synced and Healthy, seconds.

Argo CD 3.5.7 needed 39 s on the same ground, tuned and without validation 19 s (two cores).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.applications import bench, hold, settled

from fairway.testing.apiserver import ApiServer

BAR = "<= 15"
NEEDS = ("native",)
COUNT = 100
ROUNDS = 3


def main() -> None:
    """Run it."""
    hold("apps-sync", BAR, measured, applications=COUNT)


async def measured(server: ApiServer, where: Path) -> list[float]:
    """Seconds of each round."""
    found = []
    async with bench(server, where, COUNT) as ground:
        names = {f"app-{number:03}" for number in range(COUNT)}
        for number in range(ROUNDS):
            ground.repo.write(range(COUNT), f"round {number}")
            revision = ground.repo.push(f"round {number}")
            began = time.perf_counter()
            ground.told()
            ended = await ground.until(settled(revision), names, 200)
            found.append(ended - began)
            print(f"round {number + 1}: {found[-1]:.2f} s", flush=True)
            await asyncio.sleep(3)
    return found


if __name__ == "__main__":
    main()
