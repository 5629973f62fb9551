"""Patterns as Argo CD's projects and directories have them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NONE: Final = (0, "", 0)


def glob(pattern: str, text: str, *, apart: str = "") -> bool:
    """Whether a text fits a pattern of `*`, `**`, `?`, `[a-z]` and `{a,b}`.

    `*` and `?` do not go over what is in `apart`. A pattern that is none fits nothing.
    """
    if pattern == "*":
        return True
    made = _pattern(pattern, apart)
    return made is not None and made.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _pattern(pattern: str, apart: str) -> re.Pattern[str] | None:
    any_one = f"[^{re.escape(apart)}]" if apart else "."
    made, depth, at = "", 0, 0
    while at < len(pattern):
        step, text, depth = _token(pattern, at, any_one, depth)
        if not step:
            return None
        made += text
        at += step
    try:
        return re.compile(made, re.DOTALL) if depth == 0 else None
    except re.error:
        return None


def _token(pattern: str, at: int, any_one: str, depth: int) -> tuple[int, str, int]:
    """How much one token takes, what it is as an expression, how deep in braces we are then."""
    char = pattern[at]
    if pattern.startswith("**", at):
        return 2, ".*", depth
    if char == "[":
        end = pattern.find("]", at + 1)
        return (end + 1 - at, f"[{_set(pattern[at + 1 : end])}]", depth) if end > at + 1 else _NONE
    if char == "\\" and at + 1 < len(pattern):
        return 2, re.escape(pattern[at + 1]), depth
    if char == "{":
        return 1, "(?:", depth + 1
    inside = {"}": (1, ")", depth - 1), ",": (1, "|", depth)} if depth else {}
    simple = {"*": (1, f"{any_one}*", depth), "?": (1, any_one, depth), **inside}
    return simple.get(char, (1, re.escape(char), depth))


def _set(body: str) -> str:
    negated = body.startswith(("!", "^"))
    return ("^" if negated else "") + re.sub(r"([\\\[\]^])", r"\\\1", body[negated:])
