"""What `/metrics` says, in Prometheus' text format. Pure but for reading what was counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from fairway.monitor.requests import BOUNDS, Requests
from fairway.store.measures import Measures

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4"  # the framework adds the charset


def text(measures: Measures, requests: Requests, *, version: str) -> bytes:
    """The whole page."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 only if asked
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Once(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _store(measures)
            yield from _http(requests)
            yield _gauge("build_info", "This version.", {(version,): 1.0}, ("version",))

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)


def _gauge(
    name: str, about: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...] = ()
) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    family = GaugeMetricFamily(f"fairway_{name}", about, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _labelled(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(name or "unjudged",): float(count) for name, count in counts.items()}


def _store(m: Measures) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415

    yield _gauge("builds", "Builds by status.", _labelled(m.builds), ("status",))
    yield _gauge("stages", "Pipelines of builds by status.", _labelled(m.stages), ("status",))
    queued = float(m.stages.get("pending", 0))
    yield _gauge("queue_depth", "Pipelines that a runner may take.", {(): queued})
    yield _gauge(
        "queue_oldest_seconds", "How long the eldest of them waits.", {(): m.oldest_pending_s}
    )
    steps = HistogramMetricFamily("fairway_step_duration_seconds", "How long steps ran.")
    buckets = [(str(bound), float(count)) for bound, count in m.step_buckets]
    steps.add_metric([], [*buckets, ("+Inf", float(m.step_count))], m.step_seconds)
    yield steps
    yield _gauge("images", "Images by judgement.", _labelled(m.images), ("candidate",))
    yield _gauge("registry_blobs", "Blobs of the registry.", {(): float(m.blob_count)})
    yield _gauge("registry_bytes", "Bytes of the registry's blobs.", {(): float(m.blob_bytes)})
    yield _gauge("runners", "Runners by state.", _labelled(m.runners), ("state",))
    yield _gauge("outbox_waiting", "Events that handlers have to take.", {(): float(m.deliveries)})
    yield _gauge("outbox_parked", "Events that no try could deliver.", {(): float(m.parked)})
    yield _gauge(
        "outbox_lag_seconds", "Age of the eldest event to be delivered.", {(): m.oldest_delivery_s}
    )
    yield _gauge("events", "The newest event's number.", {(): float(m.events)})


def _http(requests: Requests) -> Iterator[Metric]:
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        HistogramMetricFamily,
    )

    labels = ("part", "method", "status")
    counted = CounterMetricFamily("fairway_http_requests", "Requests answered.", labels=labels)
    for key, count in sorted(requests.counts.items()):
        counted.add_metric(key, float(count))
    yield counted
    times = HistogramMetricFamily(
        "fairway_http_request_duration_seconds", "Until the answer began.", labels=("part",)
    )
    names = [*(str(bound) for bound in BOUNDS), "+Inf"]
    for part, buckets in sorted(requests.buckets.items()):
        pairs = [(name, float(n)) for name, n in zip(names, buckets, strict=True)]
        times.add_metric([part], pairs, requests.seconds[part])
    yield times
    yield _gauge("http_open_requests", "Requests under way.", {(): float(requests.open)})
