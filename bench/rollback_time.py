"""rollback-time: `fairway rollback` → all answers from the last known good version, p50, s.

The time begins before the command is started and ends with the last answer from the version that is
left; the pods of the one that is returned to are gone by then, so that they have to start.
"""

from __future__ import annotations

import time

from bench.deliveries import HOST, Shop, said, shop
from bench.lib import finish
from bench.visitors import visiting

BAR = "<= 5"
NEEDS = ("native",)
ROUNDS = 5
_GONE_S = 8.0  # the former version's pods are removed 2 s after the new one has everything


def main() -> None:
    """Run it."""
    with shop() as ground:
        ground.change()
        before = ground.newest("production")
        ground.push()
        ground.until_passed("production", before)
        found = [measured(ground, number) for number in range(ROUNDS)]
    finish("rollback-time", found, [1.0], BAR, unit="s")


def measured(ground: Shop, number: int) -> float:
    """Seconds of one rollback; then the version that was left is promoted again."""
    bad, good = said(ground.version), said(ground.version - 1)
    before = ground.newest("production")
    time.sleep(_GONE_S)
    with visiting(ground.place.http, HOST) as visitors:
        time.sleep(1)
        began = time.perf_counter()
        ground.place.cli("rollback", "web", "--env", "production", "--why", "measured")
        command = time.perf_counter() - began
        left = ground.until_passed("production", before, "rollback")
        whole = time.perf_counter() - began
        time.sleep(1)
        took = visitors.last(bad, began)
        answers, failures = visitors.since(began + took), visitors.failures
    print(
        f"round {number + 1}: last answer after {took:.2f} s; the command took {command:.2f} s,"
        f" Fairway says so after {whole:.2f} s",
        flush=True,
    )
    if failures or {one.said for one in answers[1:]} != {good}:
        raise RuntimeError(f"{left}: {failures[:3]}, {answers[-1:]}")
    if number + 1 < ROUNDS:
        newest = ground.releases()[0]["version"]
        ground.place.cli("promote", f"web@{newest}", "--env", "production", "--wait")
    return took


if __name__ == "__main__":
    main()
