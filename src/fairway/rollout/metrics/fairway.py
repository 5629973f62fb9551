"""The provider `fairway`: what the gateway counted for a version, as a map.

Conditions see `result.requests`, `result.errors`, `result.successRate` (0 to 1), and latencies in
milliseconds: `result.p50`, `p90`, `p95`, `p99`, `p999`. Without enough requests there is no
verdict: the measurement is in error, and is tried again in 10 s.
"""

from __future__ import annotations

from typing import Final

from fairway.kit import goduration, gotext
from fairway.kube.kind import Json
from fairway.model.errors import InvalidInput, Unavailable
from fairway.rollout.analysis.model import Metric, whole
from fairway.rollout.measured import Seen, Traffic
from fairway.rollout.metric import Place, Value

_WINDOW: Final = "60s"
_LONGEST_S: Final = 7200.0


class FairwayTraffic:
    """`Instant` over the gateway's counters."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def metadata(self, metric: Metric) -> dict[str, str]:  # noqa: ARG002 there is none
        """Nothing."""
        return {}

    async def query(self, place: Place, metric: Metric, given: Json) -> Value:  # noqa: ARG002 it is all in `given`
        """See `Instant`."""
        seconds, least = _window(given), max(whole(given.get("minRequests")), 1)
        service = given.get("service") or ""
        if not service:
            raise InvalidInput("fairway: service is missing", code="bad-analysis")
        version = given.get("version") or ""
        seen = await self._traffic.measured(
            place.cluster, place.namespace, service, seconds=seconds, version=version
        )
        if seen.requests < least:
            of = f"version {version} of {service}" if version else service
            raise Unavailable(
                f"{of} answered {seen.requests} requests in the last {seen.seconds:.0f} s: "
                f"a verdict takes {least}",
                code="metric-too-few",
            )
        result = result_of(seen)
        return Value(result, gotext.to_json(result))


def result_of(seen: Seen) -> dict[str, float]:
    """What conditions see."""
    found: dict[str, float] = {
        "requests": float(seen.requests),
        "errors": float(seen.errors),
        "successRate": 1 - seen.errors / seen.requests if seen.requests else 0.0,
    }
    for share, value in seen.latency_ms.items():
        found[f"p{share.partition('.')[2].ljust(2, '0')}"] = round(value, 3)
    return found


def _window(given: Json) -> float:
    text = given.get("window") or _WINDOW
    try:
        seconds = goduration.seconds(text)
    except ValueError as error:
        raise InvalidInput(f"fairway: window: {error}", code="bad-analysis") from error
    if not 0 < seconds <= _LONGEST_S:
        raise InvalidInput(
            f"fairway: window {text} is not between 0 and 2 hours", code="bad-analysis"
        )
    return seconds
