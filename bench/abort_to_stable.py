"""abort-to-stable: a canary's abort → the last answer that a visitor gets from it, p50, ms.

Under load, through the real gateway, with half of the traffic on the canary. The time begins when
the abort (the patch that `kubectl argo rollouts abort` makes) is sent.
"""

from __future__ import annotations

import time

from bench.lib import finish
from bench.rolling import Site, ground
from bench.visitors import Visitors, visiting

BAR = "<= 500"
NEEDS = ("native",)
ROUNDS = 15
_QUIET_S = 2.0  # so long no answer from the canary: then it was the last one


def main() -> None:
    """Run it."""
    with ground() as place:
        steps = [{"setWeight": 50}, {"pause": {}}]
        site = Site(place, "aborted", {"canary": {"steps": steps}})
        site.serve()
        with visiting(place.http, site.host) as visitors:
            _answers(visitors, "v0")
            found = [measured(site, visitors, number) for number in range(ROUNDS)]
            failures = visitors.failures
    for one in failures[:10]:
        print(one, flush=True)
    p95 = round(sorted(found)[int(len(found) * 0.95)], 1)
    finish("abort-to-stable", found, [1.0], BAR, unit="ms", p95=p95, failures=len(failures))


def measured(site: Site, visitors: Visitors, number: int) -> float:
    """Milliseconds of one abort."""
    version = site.next()
    site.until(lambda status: status.get("phase") == "Paused")
    _answers(visitors, version)
    time.sleep(1)
    began = time.perf_counter()
    site.patch({"status": {"abort": True}}, status=True)
    site.until(lambda status: status.get("phase") == "Degraded")
    while any(one.said == version for one in visitors.since(time.perf_counter() - _QUIET_S)):
        time.sleep(0.1)
    took = visitors.last(version, began) * 1000
    print(f"round {number + 1}: {took:.0f} ms", flush=True)
    return took


def _answers(visitors: Visitors, version: str) -> None:
    """Wait until visitors get this version."""
    began = time.perf_counter()
    while not any(one.said == version for one in visitors.since(began)):
        if time.perf_counter() - began > 60:
            raise TimeoutError(f"nobody gets {version}: {visitors.answers[-3:]}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
