"""What a version's traffic was like, as the gateway counted it: an answer that others give.

In the gateway's own process, and over HTTP from another: one contract suite, `testing/contracts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)
"""The latencies that are told."""


class Seen(Struct, frozen=True, kw_only=True):
    """Answers of one version of a Service, or of all together, in a window."""

    seconds: float  # how long the window really was
    requests: int
    errors: int  # answers 5xx
    latency_ms: Mapping[str, float] = {}  # by quantile as text (`0.99`); empty without requests


class Traffic(Protocol):
    """Where a cluster's traffic is counted."""

    async def measured(
        self, cluster: str, namespace: str, service: str, *, seconds: float, version: str
    ) -> Seen:
        """What a Service's pods answered in the last `seconds`, at most two hours.

        `version`: only pods of this pod-template hash; "" is all. Raises `Unavailable` (code
        `no-gateway-counts`) where no gateway of ours counts, or it does not answer.
        """
        ...
