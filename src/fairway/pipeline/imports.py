"""What a Jsonnet file imports: found by reading it, because the names must be written out there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

JSONNET: Final = (".jsonnet", ".libsonnet")
_IMPORT: Final = re.compile(
    r"""\bimport(?P<kind>str|bin)?\s*\(?\s*(?:@?'(?P<one>[^'\n]+)'|@?"(?P<two>[^"\n]+)")"""
)
_MOST: Final = 100  # files

Read = Callable[[str], Awaitable[str | None]]


async def gather(name: str, text: str, read: Read) -> dict[str, str]:
    """All that a file imports, and what that imports: path in the repository to text.

    `read` gives a file of the repository, or None. What is not there, and what lies outside of the
    repository, is left out: evaluating says so at its place.
    """
    found: dict[str, str] = {}
    todo = list(_imported(name, text))
    while todo and len(found) < _MOST:
        path = todo.pop()
        if path in found or path == name:
            continue
        content = await read(path)
        if content is not None:
            found[path] = content
            todo.extend(_imported(path, content) if path.endswith(JSONNET) else ())
    return found


def _imported(name: str, text: str) -> Iterator[str]:
    folder = posixpath.dirname(name)
    for match in _IMPORT.finditer(text):
        path = posixpath.normpath(posixpath.join(folder, match["one"] or match["two"]))
        if not path.startswith(("..", "/")) and path != ".":
            yield path
