"""ReferenceGrants: which references into another namespace its owner allows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import ValidationError

from fairway.gateway.objects.gateway import GrantSpec
from fairway.gateway.objects.meta import head, read
from fairway.gateway.snapshot import Object


class From(NamedTuple):
    """What kind of object refers, and from where."""

    group: str
    kind: str
    namespace: str


class To(NamedTuple):
    """What is referred to."""

    group: str
    kind: str
    namespace: str
    name: str


class Grants:
    """All grants of a cluster. One that cannot be read allows nothing."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._all: dict[tuple[From, str, str, str], set[str]] = {}
        for obj in objects:
            _, meta = head(obj, "ReferenceGrant")
            try:
                spec = read(obj.get("spec", {}), GrantSpec)
            except ValidationError:
                continue
            for source in spec.sources:
                for target in spec.targets:
                    who = From(source.group, source.kind, source.namespace)
                    key = (who, target.group, target.kind, meta.namespace)
                    self._all.setdefault(key, set()).add(target.name)

    def allow(self, source: From, target: To) -> bool:
        """Whether the reference may be followed: within a namespace always."""
        if source.namespace == target.namespace:
            return True
        names = self._all.get((source, target.group, target.kind, target.namespace), set())
        return bool(names & {"", target.name})
