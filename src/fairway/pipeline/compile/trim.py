"""`${X#pattern}` and its siblings: cut what a shell pattern matches off a text's ends.

The pattern knows `*` (slashes as well), `?`, `[a-z]`, `[^a]` and `\\`. Linear in pattern times
text: one pass finds every length that matches.
"""

from __future__ import annotations

from fairway.pipeline.compile.glob import ANY, Broken, fits, tokens


def prefix(text: str, pattern: str, *, longest: bool) -> str:
    """The text without its shortest or longest part that matches at the start."""
    lengths = _lengths(text, pattern)
    if not lengths:
        return text
    return text[max(lengths) if longest else min(lengths) :]


def suffix(text: str, pattern: str, *, longest: bool) -> str:
    """The same at the end. Drone mirrors the pattern, so a class of letters fails there."""
    return prefix(text[::-1], pattern[::-1], longest=longest)[::-1]


def _lengths(text: str, pattern: str) -> list[int]:
    """Every length above 0 at which the start of `text` matches the whole pattern."""
    try:
        wanted = tokens(pattern)
    except Broken:
        return []
    reached = {0}
    for token in wanted:
        if token == ANY:
            reached = set(range(min(reached), len(text) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(text) and fits(token, text[at])}
        if not reached:
            return []
    return [length for length in reached if length]
