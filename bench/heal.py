"""heal: a change made by hand → healed, p50 of first edits, seconds.

Each edit is of another of 100 applications, since healing one again waits for its back-off. Argo CD
3.5.7 needed 0.3 s on the same ground.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.applications import bench, hold

from fairway.kit.aio import background
from fairway.kube import Informer, Key
from fairway.kube.kind import CONFIG_MAP
from fairway.testing.apiserver import ApiServer

BAR = "<= 0.3"
NEEDS = ("native",)
COUNT = 100
ROUNDS = 25


def main() -> None:
    """Run it."""
    hold("heal", BAR, measured, applications=COUNT)


async def measured(server: ApiServer, where: Path) -> list[float]:
    """Seconds from the answer to the edit until the object is as it was."""
    found = []
    async with bench(server, where, COUNT) as ground:
        seen = Informer(ground.kube, CONFIG_MAP)
        changed = asyncio.Event()
        async with background(seen.run()):
            await seen.wait_synced(30)
            seen.on_change(lambda _old, _new: changed.set())
            for number in range(ROUNDS):
                space = f"app-{number * 3 % COUNT:03}"
                body = {"data": {"value": "by hand"}}
                await ground.kube.patch(CONFIG_MAP, "settings", space, body=body)
                began = time.perf_counter()
                await _healed(seen, Key(space, "settings"), changed)
                found.append(time.perf_counter() - began)
                print(f"round {number + 1}: {found[-1]:.3f} s", flush=True)
                await asyncio.sleep(0.5)
    return found


async def _healed(seen: Informer, key: Key, changed: asyncio.Event) -> None:
    """Wait until the hand's value was seen and is gone."""
    edited = False
    async with asyncio.timeout(60):
        while True:
            changed.clear()
            value = ((seen.store.get(key) or {}).get("data") or {}).get("value")
            if edited and value != "by hand":
                return
            edited = edited or value == "by hand"
            await changed.wait()


if __name__ == "__main__":
    main()
