"""A kind of things that `get` lists: where the API has them, and what their tables show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Cell = Callable[[Any], str]
Columns = Mapping[str, Cell]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind. `path` may hold {repo}; `wide` columns come after the others."""

    name: str
    one: str
    path: str
    item: type[Any]
    columns: Columns
    label: Cell  # for -o name
    wide: Columns = {}
    aliases: tuple[str, ...] = ()
    repository: str = "no"  # no | filter (when one is known) | needed (part of the path)
    detail: str = ""  # path of one by its name, "" where the list is searched
    events: tuple[str, ...] = ()  # whose coming makes `-w` look again
    objects: str = ""  # of a cluster: their collection's name in the Kubernetes API
    pages: bool = True
