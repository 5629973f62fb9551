"""The provider `prometheus`: a query now, as a number or a list of numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from fairway.kit import clock
from fairway.kube.kind import Json
from fairway.model.errors import InvalidInput, Unavailable
from fairway.rollout.analysis.model import Metric
from fairway.rollout.metric import Place, Value
from fairway.rollout.metrics.fetching import Ask, Fetcher

_QUERY: Final = "ResolvedPrometheusQuery"
_TIMEOUT_S: Final = 30


class _Data(Struct, rename="camel"):
    result_type: str
    result: Any


class _Answer(Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] = []


class Prometheus:
    """`Instant` over the HTTP API of a Prometheus."""

    def __init__(self, fetcher: Fetcher, *, address: str = "") -> None:
        """`address` is for metrics that name none."""
        self._fetcher = fetcher
        self._address = address

    def metadata(self, metric: Metric) -> dict[str, str]:
        """The query with its arguments filled in."""
        query = (metric.provider.get("prometheus") or {}).get("query")
        return {_QUERY: query} if query else {}

    async def query(self, place: Place, metric: Metric, given: Json) -> Value:  # noqa: ARG002 it is all in `given`
        """See `Instant`."""
        ask = _ask(given, self._address)
        answer = await self._fetcher.fetch(ask, place.kube)
        try:
            found = msgspec.json.decode(answer.body, type=_Answer)
        except msgspec.DecodeError as error:
            raise Unavailable(
                f"Prometheus answered {answer.status}, and not as it does: {error}",
                code="metric-no-answer",
            ) from error
        if found.status != "success" or found.data is None:
            raise InvalidInput(f"{found.error_type}: {found.error}", code="metric-refused")
        warned = ", ".join(f'"{one}"' for one in found.warnings)
        return _value(found.data, {"warnings": warned} if warned else {})


def _ask(given: Json, fallback: str) -> Ask:
    address = given.get("address") or fallback
    if not address:
        raise InvalidInput("prometheus address is not configured", code="bad-metric-address")
    at = urlsplit(address)
    if not at.scheme or not at.netloc:
        raise InvalidInput("prometheus address is not is url format", code="bad-metric-address")
    timeout = given.get("timeout")
    if timeout is not None and timeout < 0:
        raise InvalidInput("prometheus timeout should not be negative", code="bad-analysis")
    headers = {one["key"]: one["value"] for one in given.get("headers") or ()}
    form = {"query": given.get("query") or "", "time": f"{clock.seconds():.3f}"}
    return Ask(
        method="POST",
        url=address.rstrip("/") + "/api/v1/query",
        headers={"content-type": "application/x-www-form-urlencoded", **headers},
        body=urlencode(form).encode(),
        seconds=_TIMEOUT_S if timeout is None else timeout,
        verify=not given.get("insecure"),
    )


def _value(data: _Data, metadata: dict[str, str]) -> Value:
    if data.result_type == "scalar":
        value = float(data.result[1])
        return Value(value, plain(value), metadata)
    if data.result_type not in ("vector", "matrix"):
        raise InvalidInput("Prometheus metric type not supported", code="metric-refused")
    values = []
    for series in data.result:
        if "histogram" in series or "histograms" in series:
            raise InvalidInput(
                "Prometheus answered with native histograms, which no condition can read: "
                "ask for a number of theirs",
                code="metric-refused",
            )
        samples = [series["value"]] if data.result_type == "vector" else series["values"]
        values += [float(sample[1]) for sample in samples]
    return Value(values, f"[{','.join(map(plain, values))}]", metadata)


def plain(value: float) -> str:
    """A number as Prometheus writes it: the shortest, never with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(value)), "f").removesuffix(".0")
