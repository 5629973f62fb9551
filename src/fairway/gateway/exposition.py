"""What `/metrics` says of the gateway's traffic, in Prometheus' text format. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fairway.gateway.measures import CLASSES, Counters
from fairway.gateway.snapshot import ClusterName

if TYPE_CHECKING:
    from prometheus_client import Metric

_LABELS = ("use", "namespace", "service", "port", "version")


def text(totals: Iterable[tuple[ClusterName, Counters]]) -> bytes:
    """The families of all versions. `version` is a pod-template hash, "" where there is none."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 only if asked
    from prometheus_client.registry import Collector  # noqa: PLC0415

    found = list(totals)

    class Once(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _families(found)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)


def _families(found: list[tuple[ClusterName, Counters]]) -> Iterator[Metric]:
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        HistogramMetricFamily,
    )

    counted = CounterMetricFamily(
        "fairway_gateway_requests", "Requests by class of status.", labels=(*_LABELS, "class")
    )
    times = HistogramMetricFamily(
        "fairway_gateway_request_duration_seconds", "Until the answer ended.", labels=_LABELS
    )
    for name, counters in found:
        labels = (name.use, name.namespace, name.service, str(name.port), name.version)
        for label, count in zip(CLASSES, counters.classes, strict=True):
            if count:
                counted.add_metric((*labels, label), float(count))
        if counters.times:
            times.add_metric(labels, _buckets(counters), counters.total_ms / 1000)
    yield counted
    yield times


def _buckets(counters: Counters) -> list[tuple[str, float]]:
    """In seconds, as Prometheus has it; Envoy counts milliseconds."""
    bounds = sorted(counters.times)
    return [
        ("+Inf" if bound == float("inf") else repr(bound / 1000), float(counters.times[bound]))
        for bound in bounds
    ]
