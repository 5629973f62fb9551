"""Hostnames of listeners and routes: which covers which, and which is the more specific one."""

from __future__ import annotations

from collections.abc import Iterable

ANY = ""  # every hostname


def covers(pattern: str, name: str) -> bool:
    """Whether all of `name` (which may be a wildcard itself) belongs to `pattern`."""
    if pattern in (ANY, name):
        return True
    return pattern.startswith("*.") and name.removeprefix("*").endswith(pattern[1:])


def meet(first: str, second: str) -> str | None:
    """What both cover: one of the two, or None."""
    if covers(first, second):
        return second
    return first if covers(second, first) else None


def specificity(name: str) -> tuple[int, int]:
    """Larger is more specific: characters of a precise name, then characters of any."""
    return (0 if name.startswith("*") else len(name), len(name))


def closest(name: str, patterns: Iterable[str]) -> str | None:
    """The most specific of the patterns that cover a name."""
    found = [each for each in patterns if covers(each, name)]
    return max(found, key=specificity, default=None)


def wider(name: str) -> Iterable[str]:
    """Every pattern that covers a hostname, the most specific one first."""
    yield name
    labels = name.removeprefix("*.").split(".") if name else []
    start = 0 if name.startswith("*.") else 1
    for first in range(start, len(labels)):
        pattern = "*." + ".".join(labels[first:])
        if pattern != name:
            yield pattern
    if name:
        yield ANY
