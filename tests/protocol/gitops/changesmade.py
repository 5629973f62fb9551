"""Random changes of an object: what people and controllers do to it, and nonsense."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

Json = dict[str, Any]
VALUES = ["other", 7, True, "100m", {"more": "x"}, [{"name": "new", "value": "v"}]]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every map and list in a value, with each of its names or indices."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return []
    for name, each in pairs:
        found.append((value, name))
        found += places(each)
    return found


def changed(obj: Json, random: Random) -> Json:
    """A copy with a change or two below `spec`, `data` and `metadata.labels`."""
    made = copy.deepcopy(obj)
    for _ in range(random.randint(1, 2)):
        inside = [one for part in ("spec", "data") if part in made for one in places(made[part])]
        holder, name = random.choice(inside)
        _CHANGES[random.randrange(len(_CHANGES))](holder, name, random)
    return made


def _drop(holder: Any, name: Any, _random: Random) -> None:
    del holder[name]


def _replace(holder: Any, name: Any, random: Random) -> None:
    value = holder[name]
    if isinstance(value, bool):
        holder[name] = not value
    elif isinstance(value, int):
        holder[name] = value + 1
    elif isinstance(value, str):
        holder[name] = value + random.choice(["x", ""])


def _add(holder: Any, name: Any, random: Random) -> None:
    if isinstance(holder, dict):
        holder.setdefault(random.choice(["extra", "labels", "paused"]), random.choice(VALUES))
    elif holder and isinstance(holder[0], dict):
        holder.append({**copy.deepcopy(holder[0]), "name": f"more{random.randint(0, 2)}"})


def _reverse(holder: Any, _name: Any, _random: Random) -> None:
    if isinstance(holder, list):
        holder.reverse()


_CHANGES = (_drop, _replace, _replace, _add, _add, _reverse)
