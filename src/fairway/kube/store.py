"""A cache of one kind's objects with indexes, whose objects never go back in time.

Pure of I/O and of clocks. Objects in it are shared: whoever wants to change one copies it
(`objects.copy`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fairway.kube import objects
from fairway.kube.kind import Json, Key

Index = Callable[[Json], Iterable[str]]
Objects = list[Json]


class Change(NamedTuple):
    """What became of one object: made (`old` None), changed, or gone (`new` None)."""

    old: Json | None
    new: Json | None

    @property
    def key(self) -> Key:
        """Whose it is."""
        return objects.key(self.new or self.old or {})


class Store:
    """Objects by key. Order of iteration is that of their first arrival."""

    def __init__(self, indexes: Mapping[str, Index] | None = None) -> None:
        self._objects: dict[Key, Json] = {}
        self._indexes = dict(indexes or {})
        # A dict for a set: its order is the same in every run.
        self._indexed: dict[str, dict[str, dict[Key, None]]] = {name: {} for name in self._indexes}
        self._places: dict[str, dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    def keys(self) -> list[Key]:
        """All keys."""
        return list(self._objects)

    def __iter__(self) -> Iterator[Json]:
        return iter(list(self._objects.values()))

    def get(self, key: Key) -> Json | None:
        """One object."""
        return self._objects.get(key)

    def list(self, namespace: str = "") -> Objects:
        """All objects, or those of a namespace."""
        if not namespace:
            return list(self._objects.values())
        return [self._objects[key] for key in self._places.get(namespace, ())]

    def by_index(self, name: str, value: str) -> Objects:
        """Objects for which the index `name` gave `value`. `KeyError` for an unknown index."""
        return [self._objects[key] for key in self._indexed[name].get(value, ())]

    def index_values(self, name: str) -> Sequence[str]:
        """Every value that the index has objects for."""
        return tuple(self._indexed[name])

    # ---- changes: for informers, and for tests that fill a store by hand -------------------------

    def put(self, obj: Json, *, force: bool = False) -> Change | None:
        """Take an object, unless the same or a newer one is there; None when nothing changed.

        `force` takes what differs at all: for a server whose history was rewritten.
        """
        key = objects.key(obj)
        old = self._objects.get(key)
        if old is not None:
            mine, given = objects.version(old), objects.version(obj)
            if mine == given or not (force or objects.newer(given, mine)):
                return None
        # Asked first: an index that fails on an object leaves the store as it was.
        after = self._values(obj)
        if old is not None:
            self._unindex(key, self._values(old))
        self._objects[key] = obj
        self._index(key, after)
        return Change(old, obj)

    def remove(self, key: Key, version: str = "") -> Change | None:
        """Drop an object that was gone at `version` ("" drops whatever is there).

        One that is newer stays: it was made again after that.
        """
        old = self._objects.get(key)
        if old is None:
            return None
        if version and objects.compare_versions(objects.version(old), version) == 1:
            return None
        self._unindex(key, self._values(old))
        del self._objects[key]
        return Change(old, None)

    def _values(self, obj: Json) -> dict[str, tuple[str, ...]]:
        return {name: tuple(dict.fromkeys(index(obj))) for name, index in self._indexes.items()}

    def _index(self, key: Key, values: Mapping[str, Iterable[str]]) -> None:
        self._places.setdefault(key.namespace, {})[key] = None
        for name, given in values.items():
            for value in given:
                self._indexed[name].setdefault(value, {})[key] = None

    def _unindex(self, key: Key, values: Mapping[str, Iterable[str]]) -> None:
        _drop(self._places, key.namespace, key)
        for name, given in values.items():
            for value in given:
                _drop(self._indexed[name], value, key)


def _drop(table: dict[str, dict[Key, None]], value: str, key: Key) -> None:
    keys = table.get(value)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del table[value]
