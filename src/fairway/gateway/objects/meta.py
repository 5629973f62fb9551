"""What every object has, and how one of them is read without trusting what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from fairway.gateway.snapshot import Object, Ref


class Meta(Struct, rename="camel", frozen=True):
    """`metadata` of an object, as far as it matters here."""

    name: str = ""
    namespace: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None


class Head(Struct, frozen=True):
    """An object's kind and metadata."""

    kind: str = ""
    metadata: Meta = Meta()


class Requirement(Struct, frozen=True):
    """One line of `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] | None = None

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it. An unknown operator admits nothing."""
        here = self.key in labels
        match self.operator:
            case "In":
                return here and labels[self.key] in (self.values or ())
            case "NotIn":
                return not here or labels[self.key] not in (self.values or ())
            case "Exists":
                return here
            case "DoesNotExist":
                return not here
            case _:
                return False


class Selector(Struct, rename="camel", frozen=True):
    """A label selector; an empty one admits everything."""

    match_labels: Mapping[str, str] | None = None
    match_expressions: tuple[Requirement, ...] | None = None

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        wanted = (self.match_labels or {}).items()
        return all(labels.get(key) == value for key, value in wanted) and all(
            each.admits(labels) for each in self.match_expressions or ()
        )


Spec = TypeVar("Spec")


def read(value: object, shape: type[Spec]) -> Spec:
    """A part of an object in its shape; fields that we do not know are left alone, absent and
    null are the same. Raises `msgspec.ValidationError` with the path of what does not fit."""
    try:
        return msgspec.convert(value, shape, strict=True)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(value), shape, strict=True)


def head(obj: Object, kind: str) -> tuple[Ref, Meta]:
    """The name and metadata of an object of a kind: those of a list have no `kind` of their own."""
    try:
        meta = read(obj.get("metadata", {}), Meta)
    except msgspec.ValidationError:
        plain = part(obj, "metadata")
        meta = Meta(name=str(plain.get("name", "")), namespace=str(plain.get("namespace", "")))
    return Ref(kind, meta.namespace, meta.name), meta


def part(obj: Object, *names: str) -> Mapping[str, Any]:
    """What is found below these names, when it is an object; else an empty one."""
    found: object = obj
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def entries(value: object) -> tuple[Mapping[str, Any], ...]:
    """The objects in a list, when it is one."""
    held = value if isinstance(value, list | tuple) else ()
    return tuple(each for each in held if isinstance(each, Mapping))


def by_age(meta: Meta) -> tuple[str, str]:
    """The order in which the older of two objects wins: creation, then namespace/name."""
    return meta.creation_timestamp, f"{meta.namespace}/{meta.name}"


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_without_nulls(each) for each in value]
    return value
