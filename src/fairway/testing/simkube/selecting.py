"""Label and field selectors, as lists and watches have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import Json

_IN: Final = re.compile(r"(?P<name>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
_PARTS: Final = re.compile(r",(?![^(]*\))")


class _Term(Struct, frozen=True):
    name: str
    how: str  # in, notin, exists, absent
    values: frozenset[str] = frozenset()

    def fits(self, found: Mapping[str, str]) -> bool:
        value = found.get(self.name)
        if self.how in ("exists", "absent"):
            return (value is not None) == (self.how == "exists")
        return (value in self.values) == (self.how == "in")


class Selector(Struct, frozen=True):
    """What of a collection is asked for. `namespace` "" is all."""

    collection: str
    namespace: str
    terms: tuple[_Term, ...]
    fields: tuple[_Term, ...]

    def has(self, place: tuple[str, str, str], obj: Json | None) -> bool:
        """Whether an object is selected."""
        if obj is None or place[0] != self.collection:
            return False
        if self.namespace not in ("", place[1]):
            return False
        if not all(term.fits(objects.labels(obj)) for term in self.terms):
            return False
        return all(term.fits({term.name: _field(obj, term.name)}) for term in self.fields)


@lru_cache(maxsize=512)
def selector(collection: str, namespace: str, labels: str, fields: str) -> Selector:
    """A selection by the words of a request."""
    return Selector(collection, namespace, _terms(labels), _terms(fields))


def matches(wanted: Mapping[str, Any], found: Mapping[str, str]) -> bool:
    """Whether labels fit a workload's selector: `matchLabels` and `matchExpressions`."""
    if any(found.get(name) != value for name, value in (wanted.get("matchLabels") or {}).items()):
        return False
    return all(_expressed(one).fits(found) for one in wanted.get("matchExpressions") or ())


def _expressed(one: Mapping[str, Any]) -> _Term:
    how = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    return _Term(one["key"], how[one["operator"]], frozenset(one.get("values") or ()))


def _terms(text: str) -> tuple[_Term, ...]:
    return tuple(_term(part.strip()) for part in _PARTS.split(text) if part.strip())


def _term(part: str) -> _Term:
    listed = _IN.fullmatch(part)
    if listed:
        values = frozenset(one.strip() for one in listed["values"].split(","))
        return _Term(listed["name"], listed["how"], values)
    if "!=" in part:
        name, _, value = part.partition("!=")
        return _Term(name.strip(), "notin", frozenset((value.strip(),)))
    if "=" in part:
        name, _, value = part.replace("==", "=").partition("=")
        return _Term(name.strip(), "in", frozenset((value.strip(),)))
    return _Term(part[1:], "absent") if part.startswith("!") else _Term(part, "exists")


def _field(obj: Json, path: str) -> str:
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)
