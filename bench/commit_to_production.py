"""commit-to-production: push of a one-line change → 100 % in production, p50, s.

Unit tests, image build, chart tests with a trial installation, dev, staging, an approval that a
program gives at once, a canary of one step. It has ended when Fairway says that the promotion has
passed; no visitor may see the former version afterwards.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

from bench.deliveries import ENVIRONMENTS, HOST, Shop, said, shop
from bench.lib import finish
from bench.visitors import visiting

BAR = "<= 45"
NEEDS = ("native",)
ROUNDS = 3


def main() -> None:
    """Run it."""
    with shop() as ground:
        found = [measured(ground, number) for number in range(ROUNDS)]
    finish("commit-to-production", found, [1.0], BAR, unit="s")


def measured(ground: Shop, number: int) -> float:
    """Seconds of one change."""
    ground.change()
    former, before = said(ground.version - 1), ground.newest("production")
    with visiting(ground.place.http, HOST, callers=2, pause_s=0.05) as visitors:
        at, began = time.time(), time.perf_counter()
        ground.push()
        ground.until_passed("production", before)
        took = time.perf_counter() - began
        time.sleep(1)
        last = visitors.last(former, began)
        failures = visitors.failures
    print(f"round {number + 1}: {took:.1f} s; {_story(ground, at)}", flush=True)
    if last > took or failures:
        raise RuntimeError(f"{former} was seen until {last:.1f} s; {failures[:3]}")
    return took


def _story(ground: Shop, began: float) -> str:
    """What happened when, in seconds after the push."""
    build = ground.get("/builds", repository="shop/web")["items"][0]
    release = ground.releases()[0]
    moments = [("build", build["started"]), ("built", build["finished"])]
    moments += [("release", release["created"]), ("published", release["published"])]
    for name in ENVIRONMENTS:
        one: dict[str, Any] = ground.promotions(name)[0]
        moments += [(f"{name} {what}", one[what]) for what in ("started", "traffic", "ended")]
    return ", ".join(f"{name} {_seconds(at) - began:.1f}" for name, at in moments if at)


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
