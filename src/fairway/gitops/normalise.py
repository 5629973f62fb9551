"""What of an object does not count in a comparison: pure.

`/status` never does. `spec.ignoreDifferences` names more, by JSON pointers; a pointer to nothing
has no effect.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.gitops.application import Ignored
from fairway.gitops.globs import glob
from fairway.gitops.objects import Json, ObjectKey, key_of

_ALWAYS: Final = "/status"
_RBAC: Final = "rbac.authorization.k8s.io"


def covers(rule: Ignored, key: ObjectKey) -> bool:
    """Whether a rule is about an object: group and kind are globs, "" as a name is any."""
    return (
        glob(rule.group, key.group)
        and glob(rule.kind, key.kind)
        and rule.name in {"", key.name}
        and rule.namespace in {"", key.namespace}
    )


def pointers(ignore: Iterable[Ignored], key: ObjectKey) -> tuple[str, ...]:
    """Every pointer that is ignored of an object."""
    found = (one for each in ignore if covers(each, key) for one in each.json_pointers)
    return (_ALWAYS, *dict.fromkeys(found))


def normalised(obj: Json, ignored: Sequence[str]) -> Json:
    """A copy without what does not count, and with what can be written in two ways in one."""
    made = _without_nothing(obj)
    special = _SPECIAL.get(_kind(made))
    if special is not None:
        made = special(made)
    for pointer in ignored:
        made = removed(made, pointer)
    return made


def _without_nothing(obj: Json) -> Json:
    meta = obj.get("metadata") or {}
    if "creationTimestamp" not in meta:
        return obj
    return {**obj, "metadata": {n: each for n, each in meta.items() if n != "creationTimestamp"}}


def _kind(obj: Mapping[str, Any]) -> tuple[str, str]:
    key = key_of(obj)
    return key.group, key.kind


def _secret(obj: Json) -> Json:
    """A Secret with `stringData` in `data`, and nothing written as an empty text."""
    texts = obj.get("stringData")
    data = dict(obj.get("data") or {})
    if isinstance(texts, dict):
        for name, text in texts.items():
            data[name] = _encoded(text) if isinstance(text, str) else text
    made = {name: each for name, each in obj.items() if name != "stringData"}
    if data or "data" in obj or texts is not None:
        made["data"] = {name: "" if text is None else text for name, text in data.items()}
    return made


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _role(obj: Json) -> Json:
    """A Role whose empty list of rules is none."""
    return {**obj, "rules": None} if obj.get("rules") == [] else obj


_SPECIAL: Final[Mapping[tuple[str, str], Callable[[Json], Json]]] = {
    ("", "Secret"): _secret,
    (_RBAC, "Role"): _role,
    (_RBAC, "ClusterRole"): _role,
}


def removed(value: Any, pointer: str) -> Any:
    """A copy without what a JSON pointer names; the value itself where there is nothing."""
    if not pointer.startswith("/"):
        return value
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    return _removed(value, parts)


def _removed(value: Any, parts: list[str]) -> Any:
    name, rest = parts[0], parts[1:]
    if isinstance(value, dict) and name in value:
        if not rest:
            return {each: value[each] for each in value if each != name}
        inner = _removed(value[name], rest)
        return value if inner is value[name] else {**value, name: inner}
    place = _place(value, name)
    if place is None:
        return value
    if not rest:
        return value[:place] + value[place + 1 :]
    inner = _removed(value[place], rest)
    return value if inner is value[place] else [*value[:place], inner, *value[place + 1 :]]


def _place(value: Any, name: str) -> int | None:
    """A list's index; one below 0 counts from the end."""
    if not isinstance(value, list):
        return None
    try:
        number = int(name)
    except ValueError:
        return None
    place = number + len(value) if number < 0 else number
    return place if 0 <= place < len(value) else None


def known_kind(obj: Mapping[str, Any]) -> tuple[str, str]:
    """An object's `apiVersion` and `kind`."""
    return str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")


def without_nulls(value: Any) -> Any:
    """A copy without nulls in maps: how Go's types write them."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0, and true is not 1."""
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return False
        return all(same(each, other[name]) for name, each in one.items())
    if isinstance(one, list):
        if not isinstance(other, list) or len(one) != len(other):
            return False
        return all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
