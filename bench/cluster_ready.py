"""cluster-ready: `fairway up` on an existing data directory to node Ready, s (reference 1)."""

from __future__ import annotations

import time

from bench import clusters
from bench.lib import finish

BAR = "<= 10"
ROUNDS = 5


def main() -> None:
    """Run it."""
    found = []
    with clusters.place() as place:
        for number in range(ROUNDS):
            place.fairway("down")
            began = time.perf_counter()
            place.up()
            clusters.until(place.node_is_ready)
            found.append(time.perf_counter() - began)
            print(f"round {number + 1}: {found[-1]:.2f} s", flush=True)
    finish("cluster-ready", found, [1.0], BAR, unit="s")


if __name__ == "__main__":
    main()
