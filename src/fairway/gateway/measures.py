"""What each version answered, and how fast: Envoy's counters, kept for a while. Pure.

A version is one cluster of Envoy: a Service, its port, and the pod-template hash that the Service
selects. Mirrored requests count in clusters of their own, never in the version's.
"""

from __future__ import annotations

import operator
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from fairway.gateway.snapshot import ClusterName

CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_ERRORS: Final = CLASSES.index("5xx")
FINE_S: Final = 5.0  # between looks
_FINE_KEPT_S: Final = 900.0
_COARSE_S: Final = 60.0
_KEPT_S: Final = 7200.0
_LINE: Final = re.compile(
    r"^envoy_cluster_upstream_(rq_xx|rq_time_bucket|rq_time_sum)\{(.*)\} (\S+)$"
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

PAGE: Final = "/stats?format=prometheus&usedonly&filter=upstream_rq_(time|[1-5]xx)$"


class Counters(Struct, frozen=True):
    """Since some beginning. `times`: requests that took at most so many milliseconds, by bound."""

    classes: tuple[int, ...] = (0, 0, 0, 0, 0)
    times: Mapping[float, int] = {}
    total_ms: float = 0.0


class Measured(Struct, frozen=True):
    """One version, or several together, in a window."""

    seconds: float  # how long the window really was
    classes: Mapping[str, int]
    times: Mapping[float, float]  # cumulative, by upper bound in milliseconds
    total_ms: float

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self.classes.values())

    @property
    def success_rate(self) -> float | None:
        """Share of the answers that are no server errors; None without answers."""
        return 1 - self.classes["5xx"] / self.requests if self.requests else None

    def quantile(self, share: float) -> float | None:
        """Milliseconds within which `share` of the requests were answered; None without any.

        Linear within a bucket, as Prometheus does; the last bound for what lies above it.
        """
        bounds = sorted(self.times)
        total = self.times[bounds[-1]] if bounds else 0
        if not total:
            return None
        rank, below, lower = share * total, 0.0, 0.0
        for bound in bounds:
            count = self.times[bound]
            if count >= rank and count > below:
                top = lower if bound == float("inf") else bound
                return lower + (top - lower) * (rank - below) / (count - below)
            below, lower = count, bound if bound != float("inf") else lower
        return lower


def parse(page: str) -> dict[ClusterName, Counters]:
    """The counters of every Service's cluster, of Envoy's Prometheus page."""
    classes: dict[str, list[int]] = {}
    times: dict[str, dict[float, int]] = {}
    sums: dict[str, float] = {}
    for line in page.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        labels = dict(_LABEL.findall(match[2]))
        name = labels.get("envoy_cluster_name", "")
        if match[1] == "rq_xx":
            place = int(labels["envoy_response_code_class"]) - 1
            classes.setdefault(name, [0] * len(CLASSES))[place] = int(match[3])
        elif match[1] == "rq_time_bucket":
            times.setdefault(name, {})[float(labels["le"])] = int(match[3])
        else:
            sums[name] = float(match[3])
    found = {}
    for name in classes.keys() | times.keys():
        if cluster := ClusterName.parse(name):
            counts = tuple(classes.get(name, [0] * len(CLASSES)))
            found[cluster] = Counters(counts, times.get(name, {}), sums.get(name, 0.0))
    return found


class _Series:
    """One version's counters over time, growing even when Envoy began at zero again."""

    def __init__(self) -> None:
        self.bounds: tuple[float, ...] = ()
        self.samples: deque[tuple[float, array[float]]] = deque()
        self.last: array[float] | None = None
        self.base: array[float] | None = None

    def add(self, at: float, counters: Counters) -> None:
        if bounds := tuple(sorted(counters.times)):
            self._widen(bounds)
        times = [float(counters.times.get(bound, 0)) for bound in self.bounds]
        raw = array("d", [*map(float, counters.classes), counters.total_ms, *times])
        self._begin(len(raw))
        assert self.base is not None  # noqa: S101 set by _begin
        if self.last is not None and any(
            new < old for new, old in zip(raw, self.last, strict=True)
        ):
            self.base = array("d", map(sum, zip(self.base, self.last, strict=True)))
        self.last = raw
        value = array("d", map(sum, zip(self.base, raw, strict=True)))
        if not self.samples or self.samples[-1][1] != value:
            self.samples.append((at, value))
            self._thin(at)

    def gone(self) -> None:
        """Envoy forgot what it counted, by a restart or with the cluster: it begins at zero."""
        if self.last is not None and self.base is not None:
            self.base = array("d", map(operator.add, self.base, self.last))
            self.last = array("d", [0.0] * len(self.last))

    def _widen(self, bounds: tuple[float, ...]) -> None:
        """The first request brings the bounds of its histogram."""
        more = len(bounds) - len(self.bounds)
        if bounds == self.bounds or more < 0:
            return
        self.bounds = bounds
        nothing = array("d", [0.0] * more)
        self.samples = deque((at, value + nothing) for at, value in self.samples)
        self.last = None if self.last is None else self.last + nothing
        self.base = None if self.base is None else self.base + nothing

    def _begin(self, size: int) -> None:
        if self.base is None:
            self.base = array("d", [0.0] * size)

    def _thin(self, at: float) -> None:
        """Old samples further apart; the one before the oldest window stays as its beginning."""
        while len(self.samples) > 1 and self.samples[1][0] < at - _KEPT_S:
            self.samples.popleft()
        kept: deque[tuple[float, array[float]]] = deque()
        for sample in self.samples:
            old = sample[0] < at - _FINE_KEPT_S
            if old and len(kept) > 1 and sample[0] - kept[-2][0] < _COARSE_S:
                kept.pop()
            kept.append(sample)
        self.samples = kept

    def value(self, at: float) -> array[float] | None:
        """What was counted at a time; None before the first sample."""
        found = None
        for when, value in self.samples:
            if when > at:
                break
            found = value
        return found

    def window(self, begin: float, end: float) -> array[float]:
        last = self.value(end)
        if last is None:
            return array("d", [0.0] * (len(CLASSES) + 1 + len(self.bounds)))
        first = self.value(begin) or self.samples[0][1]
        return array("d", map(operator.sub, last, first))


class Measures:
    """The counters of all versions for two hours, every 5 s for the last quarter of an hour."""

    def __init__(self) -> None:
        self._series: dict[ClusterName, _Series] = {}
        self._first: float | None = None
        self._last = 0.0

    def add(self, at: float, counted: Mapping[ClusterName, Counters]) -> None:
        """Another look at Envoy, at a time of the loop's clock in seconds."""
        for name, counters in counted.items():
            series = self._series.get(name)
            if series is None:
                series = self._series[name] = _Series()
                if self._first is not None:  # it was not there before: it began at nothing
                    series.add(self._last, Counters(times=dict.fromkeys(counters.times, 0)))
            series.add(at, counters)
        self._first = at if self._first is None else self._first
        self._last = at
        for name in [*self._series.keys() - counted.keys()]:
            self._series[name].gone()
            if self._series[name].samples[-1][0] < at - _KEPT_S:
                del self._series[name]

    def names(self) -> list[ClusterName]:
        """The versions that had any request."""
        return sorted(self._series)

    def measured(self, names: Iterable[ClusterName], seconds: float) -> Measured:
        """These versions together in the last `seconds`, as far as we have looked so long."""
        begin = self._last - seconds
        classes = dict.fromkeys(CLASSES, 0)
        times: dict[float, float] = {}
        total = 0.0
        for name in names:
            series = self._series.get(name)
            if series is None:
                continue
            value = series.window(begin, self._last)
            for place, label in enumerate(CLASSES):
                classes[label] += int(value[place])
            total += value[len(CLASSES)]
            for bound, count in zip(series.bounds, value[len(CLASSES) + 1 :], strict=True):
                times[bound] = times.get(bound, 0.0) + count
        first = self._first if self._first is not None else self._last
        return Measured(min(seconds, self._last - first), classes, times, total)

    def totals(self) -> Iterator[tuple[ClusterName, Counters]]:
        """Everything since we began to look, for exposition."""
        for name in self.names():
            series = self._series[name]
            value = series.samples[-1][1]
            times = zip(series.bounds, map(int, value[len(CLASSES) + 1 :]), strict=True)
            classes = tuple(map(int, value[: len(CLASSES)]))
            yield name, Counters(classes, dict(times), value[len(CLASSES)])
