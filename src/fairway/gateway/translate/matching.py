"""A match in Envoy's words, and its place among all matches of a hostname."""

from __future__ import annotations

from typing import Any, Final

from fairway.gateway.objects.route import ValueMatch
from fairway.gateway.rules import Match

Rank = tuple[int, ...]
_ORDER: Final = {"Exact": 0, "RegularExpression": 1, "PathPrefix": 2}


def rank(match: Match) -> Rank:
    """Smaller comes first. HTTP: exact path, then regular expression, then the longest prefix, a
    method, more headers, more query parameters. gRPC: the longest service, the longest method,
    more headers. (HTTPRouteRule.matches and GRPCRouteRule.matches of the Gateway API; where
    regular expressions come is ours to say.)"""
    if match.grpc is not None:
        name = match.grpc
        return 0, -len(name.service), -len(name.method), -len(match.headers), 0
    path = match.path
    headers = [each for each in match.headers if not each.name.startswith(":")]
    return (
        _ORDER[path.type],
        0 if path.type == "Exact" else -len(path.value),
        0 if match.method else 1,
        -len(headers),
        -len(match.queries),
    )


def route_match(match: Match) -> dict[str, Any]:
    """Envoy's RouteMatch."""
    found = _path(match)
    headers = [_header(each) for each in match.headers]
    if match.method:
        headers.append(_header(ValueMatch(":method", match.method)))
    if headers:
        found["headers"] = headers
    if match.queries:
        found["query_parameters"] = [
            {"name": each.name, "string_match": _text(each)} for each in match.queries
        ]
    if match.grpc is not None:
        found["grpc"] = {}
    return found


def _path(match: Match) -> dict[str, Any]:
    path = match.path
    match path.type:
        case "Exact":
            return {"path": path.value}
        case "RegularExpression":
            return {"safe_regex": {"regex": path.value}}
        case _ if path.value == "/":
            return {"prefix": "/"}
        case _:
            return {"path_separated_prefix": path.value}


def _header(match: ValueMatch) -> dict[str, Any]:
    return {"name": match.name, "string_match": _text(match)}


def _text(match: ValueMatch) -> dict[str, Any]:
    if match.type == "RegularExpression":
        return {"safe_regex": {"regex": match.value}}
    return {"exact": match.value}
