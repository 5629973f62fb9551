"""A cache of one kind's objects with indexes, whose objects never go back in time.

Pure of I/O and of clocks. Objects in it are shared: whoever wants to change one copies it
(`objects.copy`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import Json, Key

Index = Callable[[Json], Iterable[str]]
Objects = list[Json]
Values = tuple[tuple[str, ...], ...]
log: Final = logging.getLogger(__name__)
_FEW: Final = 2 * 1024 * 1024  # bytes of JSON whose dicts are kept as well
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class Change(NamedTuple):
    """What became of one object: made (`old` None), changed, or gone (`new` None)."""

    old: Json | None
    new: Json | None

    @property
    def key(self) -> Key:
        """Whose it is."""
        return objects.key(self.new or self.old or {})


class _Entry(Struct, frozen=True, gc=False):
    version: str
    data: bytes
    values: Values  # of each index


class Store:
    """Objects by key; they come in the order of their first arrival.

    They are kept as JSON, a fifth of what they take as dicts. While they are few (2 MB in all) they
    are kept as dicts besides; of a larger store each look makes the dict anew (20 µs for a pod).
    """

    def __init__(self, indexes: Mapping[str, Index] | None = None) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._bytes = 0
        self._made: dict[Key, Json] = {}
        self._indexes = dict(indexes or {})
        # A dict for a set: its order is the same in every run.
        self._indexed: dict[str, dict[str, dict[Key, None]]] = {name: {} for name in self._indexes}
        self._places: dict[str, dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def keys(self) -> list[Key]:
        """All keys."""
        return list(self._entries)

    def __iter__(self) -> Iterator[Json]:
        return (self._object(key) for key in list(self._entries) if key in self._entries)

    def get(self, key: Key) -> Json | None:
        """One object."""
        return self._object(key) if key in self._entries else None

    def version(self, key: Key) -> str:
        """An object's resourceVersion, "" where there is none."""
        entry = self._entries.get(key)
        return entry.version if entry else ""

    def list(self, namespace: str = "") -> Objects:
        """All objects, or those of a namespace."""
        keys = self._places.get(namespace, ()) if namespace else self._entries
        return [self._object(key) for key in keys]

    def by_index(self, name: str, value: str) -> Objects:
        """Objects for which the index `name` gave `value`. `KeyError` for an unknown index."""
        return [self._object(key) for key in self._indexed[name].get(value, ())]

    def keys_by_index(self, name: str, value: str) -> Sequence[Key]:
        """As `by_index`, the keys alone, which costs nothing."""
        return tuple(self._indexed[name].get(value, ()))

    def index_values(self, name: str) -> Sequence[str]:
        """Every value that the index has objects for."""
        return tuple(self._indexed[name])

    def _object(self, key: Key) -> Json:
        found = self._made.get(key)
        if found is None:
            found = _decoder.decode(self._entries[key].data)
            if self._bytes <= _FEW:
                self._made[key] = found
        return found

    # ---- changes: for informers, and for tests that fill a store by hand -------------------------

    def put(self, obj: Json, *, force: bool = False) -> Change | None:
        """Take an object, unless the same or a newer one is there; None when nothing changed.

        `force` takes what differs at all: for a server whose history was rewritten.
        """
        key, version = objects.key(obj), objects.version(obj)
        entry = self._entries.get(key)
        if entry is not None and (
            entry.version == version or not (force or objects.newer(version, entry.version))
        ):
            return None
        values = tuple(self._values(name, key, obj) for name in self._indexes)
        old = self._drop(key)
        self._reindex(key, entry.values if entry else (), values)
        entry = _Entry(version, msgspec.json.encode(obj), values)
        self._entries[key] = entry
        self._bytes += len(entry.data)
        if self._bytes > _FEW:
            self._made.clear()
        else:
            self._made[key] = obj
        self._places.setdefault(key.namespace, {})[key] = None
        return Change(old, obj)

    def remove(self, key: Key, version: str = "") -> Change | None:
        """Drop an object that was gone at `version` ("" drops whatever is there).

        One that is newer stays: it was made again after that.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        if version and objects.compare_versions(entry.version, version) == 1:
            return None
        old = self._drop(key)
        del self._entries[key]
        _discard(self._places, key.namespace, key)
        self._reindex(key, entry.values, ())
        return Change(old, None)

    def _values(self, name: str, key: Key, obj: Json) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(self._indexes[name](obj)))
        except Exception:
            # A defect of the index's: the cache goes on, and the object is not in this index.
            log.exception("the index %s failed on %s", name, key)
            return ()

    def _drop(self, key: Key) -> Json | None:
        """Let go of an object before another takes its place; returns it."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        old = self._object(key)
        self._made.pop(key, None)
        self._bytes -= len(entry.data)
        return old

    def _reindex(self, key: Key, before: Values, after: Values) -> None:
        for name, olds, news in zip_longest(self._indexes, before, after, fillvalue=()):
            table = self._indexed[str(name)]
            for value in olds:
                if value not in news:
                    _discard(table, value, key)
            for value in news:
                table.setdefault(value, {})[key] = None


def _discard(table: dict[str, dict[Key, None]], value: str, key: Key) -> None:
    keys = table.get(value)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del table[value]
