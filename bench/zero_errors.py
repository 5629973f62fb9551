"""zero-errors: failed requests over 10 canaries and 10 blue/greens under keep-alive load.

Both sites go through their versions side by side, each with visitors of its own; old versions go
5 s after the new one has everything, while the next one is already on its way.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.lib import finish
from bench.rolling import Json, Site, ground, healthy
from bench.visitors import Visitors, visiting

BAR = "<= 0"
NEEDS = ("native",)
COUNT = 10
_DELAY_S = 5
_END_S = _DELAY_S + 5  # the last old version goes, too
_STEPS: list[Json] = [
    {"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 60}, {"pause": {"duration": 1}},
]  # fmt: skip


def main() -> None:
    """Run it."""
    delay = {"scaleDownDelaySeconds": _DELAY_S}
    with ground() as place:
        sites = [
            Site(place, "canary", {"canary": {"steps": _STEPS, **delay}}),
            Site(place, "bluegreen", {"blueGreen": {"autoPromotionEnabled": True, **delay}}),
        ]
        for site in sites:
            site.until(healthy)
        with (
            visiting(place.http, sites[0].host) as first,
            visiting(place.http, sites[1].host) as second,
            ThreadPoolExecutor(2) as pool,
        ):
            list(pool.map(gone_through, sites, (first, second)))
            time.sleep(_END_S)
    failures = [*first.failures, *second.failures]
    requests = len(first.answers) + len(second.answers)
    for one in failures[:20]:
        print(one, flush=True)
    if requests < 100 * COUNT:
        sys.exit(f"only {requests} requests were made: the load was none")
    finish("zero-errors", [len(failures)], [1.0], BAR, requests=requests, rollouts=2 * COUNT)


def gone_through(site: Site, visitors: Visitors) -> None:
    """One version after another, until each has everything."""
    for number in range(COUNT):
        began = time.perf_counter()
        version = site.next()
        site.until(healthy)
        took = time.perf_counter() - began
        time.sleep(0.5)
        last = {one.said for one in visitors.since(time.perf_counter() - 0.3)}
        print(
            f"{site.name} {number + 1}: {took:.1f} s, {len(visitors.answers)} requests,"
            f" {len(visitors.failures)} failed",
            flush=True,
        )
        if last - {"", version}:
            raise RuntimeError(f"visitors of {site.name} still get {last}, not only {version}")


if __name__ == "__main__":
    main()
