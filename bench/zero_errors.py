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
_ALONE_S = 30.0
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
            site.serve()
        began = time.perf_counter()
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
        print(f"{one.began - began:.3f} s after the load began: {one.problem}", flush=True)
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
        late = alone(visitors, version)
        print(
            f"{site.name} {number + 1}: {took:.1f} s, alone {late:.1f} s later;"
            f" {len(visitors.answers)} requests, {len(visitors.failures)} failed",
            flush=True,
        )


def alone(visitors: Visitors, version: str) -> float:
    """Wait until visitors see this version and no other; seconds until the last other answer."""
    began = time.perf_counter()
    while True:
        time.sleep(0.5)
        now = time.perf_counter()
        seen = {one.said for one in visitors.since(now - 0.5)} - {""}
        if seen == {version}:
            return max(0.0, now - 0.5 - began)
        if now - began > _ALONE_S:
            raise TimeoutError(f"{now - began:.0f} s later visitors get {seen}, not {version}")


if __name__ == "__main__":
    main()
