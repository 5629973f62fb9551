"""Patches: merge (RFC 7386), JSON (RFC 6902) and Kubernetes' strategic merge by a kind's schema."""

from __future__ import annotations

from typing import Any

from fairway.kube import objects
from fairway.kube.kind import Json
from fairway.testing.simkube.schemas import OPEN, child, item_key, keys


class BadPatch(Exception):
    """The patch does not fit the object."""


def merge(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, one in patch.items():
        if one is None:
            made.pop(name, None)
        else:
            made[name] = merge(made.get(name), one)
    return made


def strategic(value: Any, patch: Any, schema: Json) -> Any:
    """Lists by their keys; `$patch: delete` and `$patch: replace`; `$setElementOrder` and
    `$retainKeys` only say what the lists here do by themselves."""
    if isinstance(patch, list):
        return _items(value if isinstance(value, list) else [], patch, schema)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {name: one for name, one in patch.items() if name != "$patch"}
    made = dict(value) if isinstance(value, dict) else {}
    for name, one in patch.items():
        if name.startswith("$"):
            continue
        if one is None:
            made.pop(name, None)
        else:
            made[name] = strategic(made.get(name), one, child(schema, name) or OPEN)
    return made


def _items(value: list[Any], patch: list[Any], schema: Json) -> list[Any]:
    names = keys(schema)[:1]  # a strategic merge knows one key
    if not names:
        return patch
    inner = schema.get("items") or OPEN
    made = {item_key(one, names, schema): one for one in value}
    for one in patch:
        at = item_key(one, names, schema)
        if one.get("$patch") == "delete":
            made.pop(at, None)
        else:
            made[at] = strategic(made.get(at), one, inner)
    return list(made.values())


def json_patch(value: Json, operations: list[Json]) -> Json:
    """RFC 6902. Raises `BadPatch`."""
    made: Any = objects.copy(value)
    try:
        for one in operations:
            _operate(made, one)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise BadPatch(f"the operation {one} does not fit: {error}") from error
    return dict(made)


def _operate(root: Any, one: Json) -> None:
    what = one["op"]
    if what in ("move", "copy"):
        moved = objects.copy(_at(root, one["from"]))
        if what == "move":
            _remove(root, one["from"])
        _add(root, one["path"], moved)
    elif what == "remove":
        _remove(root, one["path"])
    elif what == "test":
        if _at(root, one["path"]) != one["value"]:
            raise ValueError("the test fails")
    elif what == "replace":
        _remove(root, one["path"])
        _add(root, one["path"], one["value"])
    elif what == "add":
        _add(root, one["path"], one["value"])
    else:
        raise ValueError(f"no operation {what}")


def _parts(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _walk(root: Any, parts: list[str]) -> Any:
    for part in parts:
        root = root[int(part)] if isinstance(root, list) else root[part]
    return root


def _at(root: Any, path: str) -> Any:
    return _walk(root, _parts(path))


def _remove(root: Any, path: str) -> None:
    *parents, last = _parts(path)
    parent = _walk(root, parents)
    del parent[int(last) if isinstance(parent, list) else last]


def _add(root: Any, path: str, value: Any) -> None:
    *parents, last = _parts(path)
    parent = _walk(root, parents)
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value
