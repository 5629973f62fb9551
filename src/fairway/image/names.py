"""What image names in pipelines mean here.

A name without a host is our registry's when a repository of that name is there (`webflix/catalogue`
or, for a plain `python`, `library/python`); the tag `candidate` is its last candidate. Everything
else keeps its public meaning.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fairway.model.image import ImageName, parse_name
from fairway.model.scope import Scope
from fairway.store import images
from fairway.store.database import Database


class Resolved(Struct, frozen=True):
    """`found`: name as given -> path@digest. `unknown`: ours, and not there."""

    found: dict[str, str]
    unknown: tuple[str, ...] = ()


class Names:
    """Resolves names. `registry` is our host:port."""

    def __init__(self, database: Database, *, registry: str) -> None:
        self._database = database
        self._registry = registry

    async def resolve(self, names: Sequence[str], scope: Scope) -> Resolved:
        """Every name that is ours. Raises `Unavailable`."""
        ours = {name: path for name in names if (path := self._path(parse_name(name)))}
        asked = {name: (path, parse_name(name).tag or "latest") for name, path in ours.items()}
        pinned = {name: parse_name(name).digest for name in ours}
        there = await self._database.read(images.resolve, scope, list(asked.values()))
        homes = await self._database.read(images.homes, sorted(set(ours.values())))
        found: dict[str, str] = {}
        unknown: list[str] = []
        for name, (path, tag) in asked.items():
            if pinned[name]:
                if path in homes:
                    found[name] = f"{path}@{pinned[name]}"
            elif f"{path}:{tag}" in there:
                found[name] = there[f"{path}:{tag}"]
            elif path in homes - _library(homes) or parse_name(name).host == self._registry:
                unknown.append(name)
        return Resolved(found, tuple(unknown))

    def _path(self, name: ImageName) -> str:
        """Its path in our registry, "" when it is of another one."""
        if name.host == self._registry:
            return name.path
        if name.host:
            return ""
        return name.path if "/" in name.path else f"library/{name.path}"


def _library(paths: set[str]) -> set[str]:
    """Names that a public hub has too: absent here, they keep that meaning."""
    return {path for path in paths if path.startswith("library/")}
