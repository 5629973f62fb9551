"""What benchmarks share: rounds in turn, medians, and the JSON line that `scripts/bench` wants."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

_END_S = 10
_MOST_S = 50.0  # of measuring


def interleaved(
    ours: Callable[[int], float], reference: Callable[[int], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Measure both in turn, the first one changing each round; shows every figure.

    On a busy machine there are fewer rounds: a benchmark takes a minute, not more.
    """
    mine: list[float] = []
    theirs: list[float] = []
    began = time.perf_counter()
    longest = 0.0
    for number in range(rounds):
        at = time.perf_counter()
        if at - began + longest > _MOST_S:
            print(f"stopped after {number} of {rounds} rounds: the machine is busy", flush=True)
            break
        pairs = [(ours, mine), (reference, theirs)]
        for measure, into in pairs if number % 2 == 0 else reversed(pairs):
            into.append(measure(number))
        longest = max(longest, time.perf_counter() - at)
        print(f"round {number + 1}: ours {mine[-1]:.4g}, reference {theirs[-1]:.4g}", flush=True)
    return mine, theirs


def finish(
    name: str,
    ours: Sequence[float],
    reference: Sequence[float],
    bar: str,
    *,
    paired: bool = False,
    **more: object,
) -> NoReturn:
    """Print the line and exit: 0 within the bar (`<= 1.10` or `>= 1.3`), 1 outside.

    The ratio is that of the medians, or with `paired` the median of the rounds' ratios: right where
    the machine differs more from round to round than the two do.
    """
    mine, theirs = statistics.median(ours), statistics.median(reference)
    ratio = mine / theirs
    if paired:
        ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    ok = within(ratio, bar)
    line = {
        "name": name,
        "ours": round(mine, 4),
        "reference": round(theirs, 4),
        "ratio": round(ratio, 3),
        "bar": bar,
        "ok": ok,
        **more,
    }
    print(json.dumps(line), flush=True)
    sys.exit(0 if ok else 1)


def within(ratio: float, bar: str) -> bool:
    """Whether a ratio meets a bar such as `<= 1.10`."""
    sign, _, limit = bar.partition(" ")
    if sign not in {"<=", ">="}:
        raise ValueError(f"{bar!r} is no bar")
    return ratio <= float(limit) if sign == "<=" else ratio >= float(limit)


@contextmanager
def process(command: Sequence[str], **env: str) -> Iterator[subprocess.Popen[str]]:
    """A child with its output in a pipe, ended with the block."""
    child = subprocess.Popen(
        list(command), stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()
