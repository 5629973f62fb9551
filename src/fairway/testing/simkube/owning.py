"""Server-side apply: which manager owns which field, merges by schema, and conflicts.

A field is a path of names, of keys of list items `("k", ...)` and of values of sets `("v", value)`.
After Kubernetes' structured merge, as far as our chapters use it: maps, lists by keys, sets, and
values that are whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from fairway.kube.kind import Json
from fairway.testing.simkube.schemas import OPEN, child, is_set, is_whole, item_key, keys

Path = tuple[Any, ...]
Fields = frozenset[Path]
Managers = Mapping["Manager", Fields]
_WRITTEN: Final = frozenset(
    ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
     "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName")
)  # fmt: skip


class Manager(Struct, frozen=True):
    """Who writes, and how: each way owns for itself."""

    name: str
    applies: bool
    subresource: str = ""


class Owned(Struct, frozen=True):
    """A field that is another's, with another value."""

    path: str
    manager: Manager


class Applied(Struct, frozen=True):
    """What comes of an apply. With conflicts it is not to be kept."""

    object: Json
    managers: dict[Manager, Fields]
    conflicts: list[Owned]


def fields(obj: Json, schema: Json) -> dict[Path, Any]:
    """Every field of an object that somebody may own, with its value."""
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _WRITTEN}
    rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    return dict(_walk({**rest, "metadata": meta} if meta else rest, schema, ()))


def _walk(value: Any, schema: Json, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and not is_whole(schema):
        yield from _inside(value, schema, path)
    elif isinstance(value, list) and keys(schema):
        for one in value:
            at = (*path, ("k", item_key(one, keys(schema), schema)))
            yield at, None  # that the item is there
            yield from _walk(one, schema.get("items") or OPEN, at)
    elif isinstance(value, list) and is_set(schema):
        for one in value:
            yield (*path, ("v", one)), one
    else:
        yield path, value


def _inside(value: Json, schema: Json, path: Path) -> Iterator[tuple[Path, Any]]:
    if not value and path:
        yield path, value
    for name, one in value.items():
        if isinstance(one, dict | list):
            yield from _walk(one, child(schema, name) or OPEN, (*path, name))
        else:
            yield (*path, name), one


def applied(
    live: Json, config: Json, who: Manager, managers: Managers, *, schema: Json, force: bool
) -> Applied:
    """Apply `config` as `who`."""
    wanted, there = fields(config, schema), fields(live, schema)
    conflicts = [
        Owned(shown(path), other)
        for path, value in wanted.items()
        for other, owned in managers.items()
        if other != who and path in owned and there.get(path, value) != value
    ]
    if conflicts and not force:
        return Applied(live, dict(managers), conflicts)
    contested = {path for path, value in wanted.items() if there.get(path, value) != value}
    kept = {other: owned - contested for other, owned in managers.items() if other != who}
    gone = managers.get(who, frozenset()) - wanted.keys()
    gone -= frozenset().union(*kept.values()) if kept else frozenset()
    made = _without(merged(live, config, schema), gone, schema)
    kept[who] = frozenset(wanted)
    return Applied(made, {other: owned for other, owned in kept.items() if owned}, [])


def merged(live: Any, config: Any, schema: Json) -> Any:
    """What is live with what is applied put over it."""
    if isinstance(config, dict) and isinstance(live, dict) and not is_whole(schema):
        made = dict(live)
        for name, one in config.items():
            made[name] = merged(live.get(name), one, child(schema, name) or OPEN)
        return made
    if isinstance(config, list) and isinstance(live, list):
        if keys(schema):
            return _merged_items(live, config, schema)
        if is_set(schema):
            return [*live, *(one for one in config if one not in live)]
    return config


def _merged_items(live: list[Any], config: list[Any], schema: Json) -> list[Any]:
    names, inner = keys(schema), schema.get("items") or OPEN
    wanted = {item_key(one, names, schema): one for one in config}
    made = []
    for one in live:
        other = wanted.pop(item_key(one, names, schema), None)
        made.append(one if other is None else merged(one, other, inner))
    return [*made, *wanted.values()]


def _without(obj: Json, gone: Fields, schema: Json) -> Json:
    for path in sorted(gone, key=len, reverse=True):
        obj = _removed(obj, path, schema) or {}
    return obj


def _removed(value: Any, path: Path, schema: Json) -> Any:
    """Without one field; None when nothing is left of it."""
    first, rest = path[0], path[1:]
    if isinstance(first, tuple):
        return _removed_item(value, path, schema) or None
    if not isinstance(value, dict) or first not in value:
        return value
    left = _removed(value[first], rest, child(schema, first) or OPEN) if rest else None
    made = {name: one for name, one in value.items() if name != first}
    if left is not None:
        made = {name: left if name == first else one for name, one in value.items()}
    return made or None


def _removed_item(value: list[Any], path: Path, schema: Json) -> list[Any]:
    (how, what), rest = path[0], path[1:]
    if how == "v":
        return [one for one in value if one != what]
    made = []
    for one in value:
        if item_key(one, keys(schema), schema) != what:
            made.append(one)
        elif rest:
            left = _removed(one, rest, schema.get("items") or OPEN)
            made.append(one if left is None else left)
    return made


def updated(
    before: Json, after: Json, who: Manager, managers: Managers, *, schema: Json
) -> dict[Manager, Fields]:
    """Who owns what after a plain write: the writer owns what it changed."""
    old, new = fields(before, schema), fields(after, schema)
    changed = frozenset(
        path for path, value in new.items() if path not in old or old[path] != value
    )
    lost = changed | (old.keys() - new.keys())
    made = {other: owned - lost for other, owned in managers.items()}
    made[who] = (made.get(who, frozenset()) | changed) & new.keys()
    return {other: owned for other, owned in made.items() if owned}


def shown(path: Path) -> str:
    """A field as conflicts name it: `spec.containers[name="main"].image`."""
    text = ""
    for part in path:
        if isinstance(part, str):
            text += f".{part}"
        elif part[0] == "k":
            text += "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in part[1]) + "]"
        else:
            text += f"[={json.dumps(part[1])}]"
    return text
