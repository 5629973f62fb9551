""".dockerignore by Docker's rules: Go's path patterns, `**`, `!` exceptions, last match wins."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = frozenset(".^$|()+{}")


def _escape(char: str) -> str:
    return "\\" + char if char in _SPECIAL else char


def _regex(pattern: str) -> re.Pattern[str] | None:
    """A pattern as a regular expression; None when Go would call it malformed."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern[at : at + 1] == "/":
                at += 1
            out.append(".*" if at >= len(pattern) else "(?:.*/)?")
            continue
        if char == "[":
            end = pattern.find("]", at + 2)
            if end < 0:
                return None
            out.append("[" + pattern[at + 1 : end].replace("\\", "\\\\") + "]")
            at = end + 1
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(char) or _escape(char))
        at += 1
    try:
        return re.compile("".join(out) + r"\Z", re.DOTALL)
    except re.error:
        return None


class Ignore:
    """Which paths of a context are left out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in lines:
            text = line.strip().removeprefix("\ufeff")
            if not text or text.startswith("#"):
                continue
            negated = text.startswith("!")
            clean = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
            if clean in ("", "."):
                continue
            found = _regex(clean)
            if found is not None:
                self._rules.append((negated, found))
        self.has_exceptions = any(negated for negated, _ in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def leaves_out(self, path: str) -> bool:
        """Whether `path` (with `/`, relative to the context) is left out."""
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        out = False
        for negated, rule in self._rules:
            if negated != out:  # it could not change the answer
                continue
            if rule.match(path) or any(rule.match(folder) for folder in above):
                out = not negated
        return out
