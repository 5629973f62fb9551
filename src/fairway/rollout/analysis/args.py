"""`{{args.NAME}}` in metrics: replaced in the metric's JSON text, as Argo Rollouts does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from fairway.kit.gotext import quote
from fairway.kube.kind import Json
from fairway.model.errors import InvalidInput
from fairway.rollout.analysis.model import Metric

_UNKNOWN: Final = "temp-for-secret"
"""Stands for a secret's value where a metric is looked at without fetching it."""


def without_secrets(args: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Arguments in which each secret's value is a placeholder."""
    return [
        {"name": arg.get("name"), "value": _UNKNOWN} if secret_of(arg) else dict(arg)
        for arg in args
    ]


def secret_of(arg: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and key of the secret that an argument takes its value from."""
    found = (arg.get("valueFrom") or {}).get("secretKeyRef")
    return (str(found.get("name") or ""), str(found.get("key") or "")) if found else None


def resolved(metric: Mapping[str, Any], args: Iterable[Mapping[str, Any]]) -> Metric:
    """A metric with its arguments filled in. Raises `InvalidInput` (code `bad-analysis`)."""
    text = filled(msgspec.json.encode(metric).decode(), values(args))
    try:
        return msgspec.json.decode(text, type=Metric)
    except msgspec.DecodeError as error:
        name = metric.get("name")
        raise InvalidInput(
            f"metric {name} with its arguments: {error}", code="bad-analysis"
        ) from error


def values(args: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What stands for each tag, as it is to be written within JSON."""
    found = {}
    for arg in args:
        if arg.get("value") is None:
            raise InvalidInput(
                f'argument "{arg.get("name")}" was not supplied', code="bad-analysis"
            )
        found[f"args.{arg.get('name')}"] = quote(str(arg["value"]))[1:-1]
    return found


def filled(text: str, known: Mapping[str, str]) -> str:
    """A text with every `{{tag}}` replaced. Raises `InvalidInput` for one that is not known."""
    parts: list[str] = []
    wrong = ""
    rest = text
    while True:
        before, opened, rest = rest.partition("{{")
        parts.append(before)
        if not opened:
            break
        tag, closed, after = rest.partition("}}")
        if not closed:
            raise InvalidInput(
                f'Cannot find end tag="}}}}" starting from {quote(rest)}', code="bad-analysis"
            )
        if tag.strip() not in known:
            wrong = f"failed to resolve {{{{{tag}}}}}"
        parts.append(known.get(tag.strip(), ""))
        rest = after
    if wrong:
        raise InvalidInput(wrong, code="bad-analysis")
    return "".join(parts)
