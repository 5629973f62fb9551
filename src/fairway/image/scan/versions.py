"""Which version is the older one, by the rules of each ecosystem. Pure.

Sources: deb-version(7); PEP 440 (by `packaging`); semantic versions (by `kit.semver`), with which
Go's advisories are written.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from packaging.version import InvalidVersion
from packaging.version import Version as PythonVersion

from fairway.image.scan.package import Ecosystem
from fairway.kit import semver

_PARTS: Final = re.compile(r"(\D*)(\d*)")


class Unreadable(ValueError):
    """A version that its ecosystem's rules do not know."""


def key(ecosystem: Ecosystem, version: str) -> Any:
    """What sorts as versions of this ecosystem do. Raises `Unreadable`."""
    match ecosystem:
        case Ecosystem.DEBIAN:
            return _debian(version)
        case Ecosystem.PYPI:
            try:
                return PythonVersion(version)
            except InvalidVersion as error:
                raise Unreadable(version) from error
        case Ecosystem.GO:
            return _semantic(version)


def _semantic(version: str) -> Any:
    found = semver.parse(version.removeprefix("v").removesuffix("+incompatible"))
    if found is None:
        raise Unreadable(version)
    return found.key


def _debian(text: str) -> tuple[int, Any, Any]:
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    if not epoch.isdigit():
        raise Unreadable(text)
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch), _Part(upstream), _Part(revision)


@functools.total_ordering
class _Part:
    """Upstream version or revision: letters and digits by turns; `~` comes before even the end."""

    def __init__(self, text: str) -> None:
        self._pairs = [(word, number) for word, number in _PARTS.findall(text) if word or number]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and self._compare(other) == 0

    def __lt__(self, other: _Part) -> bool:
        return self._compare(other) < 0

    def __hash__(self) -> int:
        return hash(tuple(self._pairs))

    def _compare(self, other: _Part) -> int:
        for at in range(max(len(self._pairs), len(other._pairs))):
            mine = self._pairs[at] if at < len(self._pairs) else ("", "")
            theirs = other._pairs[at] if at < len(other._pairs) else ("", "")
            one, two = _weights(mine[0]), _weights(theirs[0])
            if one != two:
                return -1 if one < two else 1
            left, right = int(mine[1] or 0), int(theirs[1] or 0)
            if left != right:
                return -1 if left < right else 1
        return 0


def _weights(word: str) -> list[int]:
    """`~` before the end, the end before letters, letters before all else."""
    return [-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in word] + [0]
