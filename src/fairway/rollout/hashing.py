"""Names of versions: hashes of pod templates and of step lists.

The template's hash is of our own canonical text, which has a version: a later Fairway that hashes
otherwise must go on reading the old one, or every Rollout would be deployed anew. What another
controller made is found by equality instead (`controller.py`). The steps' hash is Argo's own, over
the JSON that Go makes of the supported steps, so that a Rollout taken over stays at its step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # those that Kubernetes makes names of
_VERSION: Final = "1"


def fnv(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    found = 0x811C9DC5
    for byte in data:
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found


def encoded(value: int) -> str:
    """A number as a word that is none."""
    return "".join(_LETTERS[ord(one) % len(_LETTERS)] for one in str(value))


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """The name of a version: the same for the same template, whatever the order of its fields."""
    text = json.dumps(cleaned(template), sort_keys=True, separators=(",", ":"))
    return encoded(fnv(f"{_VERSION}:{collisions}:{text}".encode()))


def cleaned(value: Any) -> Any:
    """JSON without what means nothing: fields that are null or an empty map or list."""
    if isinstance(value, Mapping):
        items = {str(name): cleaned(each) for name, each in value.items()}
        return {name: each for name, each in items.items() if each not in (None, {}, [])}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [cleaned(each) for each in value]
    return value


# Go writes a struct's fields in the order of their declaration, and leaves empty ones out.
_ORDER: Final = (
    "setWeight", "pause", "experiment", "analysis", "setCanaryScale", "setHeaderRoute",
    "setMirrorRoute", "plugin",
    "duration",
    "templates", "args", "dryRun", "measurementRetention", "analysisRunMetadata",
    "templateName", "clusterScope",
    "name", "value", "valueFrom", "podTemplateHashValue", "fieldRef", "fieldPath",
    "metricName", "limit", "labels", "annotations",
    "weight", "replicas", "matchTrafficWeight",
)  # fmt: skip
_POINTERS: Final = frozenset({"setWeight", "weight", "replicas", "clusterScope", "limit"})
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def steps_hash(steps: Sequence[Mapping[str, Any]] | None) -> str:
    """The name of a list of steps; an absent list has one of its own, as in Argo."""
    text = "null" if not steps and steps is None else _go([_ordered(one) for one in steps or ()])
    return encoded(fnv(text.encode()))


def _go(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in _ESCAPES.items():
        text = text.replace(plain, escaped)
    return text


def _ordered(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        names = sorted(value) if name in ("labels", "annotations") else _known(value)
        made = {one: _ordered(value[one], one) for one in names}
        return {one: each for one, each in made.items() if not _omitted(one, each)}
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    return value


def _known(value: Mapping[str, Any]) -> list[str]:
    return [one for one in _ORDER if one in value]


def _omitted(name: str, value: Any) -> bool:
    if value is None:
        return True
    return (name not in _POINTERS and value in ("", False, 0)) or value == []
