"""Providers of metrics, one file each; the contract is `rollout/metric.py`."""

from __future__ import annotations

from fairway.rollout.analysis.condition import Asks, Conditions
from fairway.rollout.measured import Traffic
from fairway.rollout.metric import Provider
from fairway.rollout.metrics.fairway import FairwayTraffic
from fairway.rollout.metrics.fetching import Fetcher
from fairway.rollout.metrics.instant import Instantly
from fairway.rollout.metrics.job import Job
from fairway.rollout.metrics.prometheus import Prometheus
from fairway.rollout.metrics.web import Web


def providers(
    fetcher: Fetcher,
    toolbox: Asks,
    conditions: Conditions,
    traffic: Traffic,
    *,
    prometheus: str = "",
) -> dict[str, Provider]:
    """All of them, by the names that metrics use. `prometheus` is for metrics without an address"""
    return {
        "prometheus": Instantly(Prometheus(fetcher, address=prometheus), conditions),
        "web": Instantly(Web(fetcher, toolbox), conditions),
        "fairway": Instantly(FairwayTraffic(traffic), conditions),
        "job": Job(),
    }
