"""Reading of objects as Go's types read them: what is missing is the type's zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairway.gitops.objects import Health

Check = Callable[[Mapping[str, Any]], Health]


def at(obj: Mapping[str, Any], *path: str) -> Any:
    """What is at a place; None where there is nothing."""
    found: Any = obj
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def number(obj: Mapping[str, Any], *path: str) -> int:
    """A number, 0 without one."""
    return int(at(obj, *path) or 0)


def text(obj: Mapping[str, Any], *path: str) -> str:
    """A text, "" without one."""
    return str(at(obj, *path) or "")


def items(obj: Mapping[str, Any], *path: str) -> Iterator[Mapping[str, Any]]:
    """The maps of a list."""
    yield from (one for one in at(obj, *path) or () if isinstance(one, Mapping))


def condition(obj: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The first of an object's conditions of a type."""
    found = items(obj, "status", "conditions")
    return next((one for one in found if one.get("type") == name), None)


def name(obj: Mapping[str, Any]) -> str:
    """The object's name as Go's %q writes it."""
    return f'"{text(obj, "metadata", "name")}"'
