"""The provider `web`: a request, and a value in the JSON of its answer."""

from __future__ import annotations

import json
from typing import Any, Final

from fairway.kit import gotext
from fairway.kube.kind import Json
from fairway.model.errors import FairwayError, InvalidInput
from fairway.native.languages import JsonPath
from fairway.rollout.analysis.condition import Asks, floats
from fairway.rollout.analysis.model import SUCCESSFUL, Metric
from fairway.rollout.metric import Place, Value
from fairway.rollout.metrics.fetching import Ask, Fetcher

_METHODS: Final = ("GET", "POST", "PUT")
_TIMEOUT_S: Final = 10


class Web:
    """`Instant` over any HTTP server."""

    def __init__(self, fetcher: Fetcher, toolbox: Asks) -> None:
        self._fetcher = fetcher
        self._toolbox = toolbox

    def metadata(self, metric: Metric) -> dict[str, str]:  # noqa: ARG002 there is none
        """Nothing."""
        return {}

    async def query(self, place: Place, metric: Metric, given: Json) -> Value:  # noqa: ARG002 it is all in `given`
        """See `Instant`. An answer that is no JSON is text, and counts as a success, as in Argo."""
        answer = await self._fetcher.fetch(_ask(given), place.kube)
        if not 200 <= answer.status < 300:
            raise InvalidInput(
                f"received non 2xx response code: {answer.status}", code="metric-refused"
            )
        try:
            data = json.loads(answer.body, parse_constant=_no_constant)
        except ValueError:
            return Value(None, answer.body.decode("utf-8", "replace"), judged=SUCCESSFUL)
        found = await self._found(given.get("jsonPath") or "{$}", floats(data))
        if not found:
            raise InvalidInput("result of web metric produced no value", code="metric-refused")
        return Value(found[0], gotext.to_json(floats(found[0])))

    async def _found(self, path: str, data: Any) -> list[Any]:
        try:
            return await self._toolbox.ask(JsonPath(query=path, input=data))
        except FairwayError as error:
            raise InvalidInput(
                f"Could not find JSONPath in body: {error.message}", code="metric-refused"
            ) from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _ask(given: Json) -> Ask:
    method = given.get("method") or "GET"
    if method not in _METHODS:
        raise InvalidInput(
            f"web: the method {method} is none of GET, POST, PUT", code="bad-analysis"
        )
    headers = {one["key"]: one["value"] for one in given.get("headers") or ()}
    text, data = given.get("body") or "", given.get("jsonBody")
    if text and data is not None:
        raise InvalidInput(
            "use either Body or JSONBody; both cannot exists for WebMetric payload",
            code="bad-analysis",
        )
    if (text or data is not None) and method == "GET":
        raise InvalidInput(
            "Body/JSONBody can only be used with POST or PUT WebMetric Method types",
            code="bad-analysis",
        )
    body = text.encode()
    if data is not None:
        headers["content-type"] = "application/json"
        body = gotext.to_json(data).encode()
    seconds = given.get("timeoutSeconds") or 0
    return Ask(
        method=method,
        url=given.get("url") or "",
        headers=headers,
        body=body,
        seconds=seconds if seconds > 0 else _TIMEOUT_S,
        verify=not given.get("insecure"),
    )
