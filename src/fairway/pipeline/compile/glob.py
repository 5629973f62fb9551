"""The patterns of conditions: doublestar globs, with Drone's exact edges.

`*` and `?` stop at `/`; `**` as a whole part crosses it; `[a-z]` and `[^a]` are classes (`!` is an
ordinary character in them); `{a,b}` are alternatives; `\\` takes the next character as it is. A
broken pattern matches nothing. Matching takes time linear in pattern times name.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Final

_MAX_ALTERNATIVES: Final = 64
_MAX_PATTERN: Final = 4_096
_MAX_NAME: Final = 8_192

ANY: Final = "*"
ONE: Final = "?"

Token = str | tuple[str, str]


class Broken(ValueError):
    """The pattern cannot be read."""


def match(pattern: str, name: str) -> bool:
    """Whether `name` matches. A broken pattern matches nothing."""
    if len(name) > _MAX_NAME:
        return False
    try:
        alternatives = _compiled(pattern)
    except Broken:
        return False
    parts = name.split("/")
    return any(_match_parts(alternative, parts) for alternative in alternatives)


def is_broken(pattern: str) -> bool:
    """Whether the pattern cannot be read, so that it matches nothing."""
    try:
        _compiled(pattern)
    except Broken:
        return True
    return False


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[tuple[str | tuple[Token, ...], ...], ...]:
    if len(pattern) > _MAX_PATTERN:
        raise Broken(pattern)
    return tuple(
        tuple(part if part == "**" else _strict(tokens(part)) for part in _split(text))
        for text in _alternatives(pattern)
    )


def _strict(wanted: tuple[Token, ...]) -> tuple[Token, ...]:
    """Three stars or more at the end of a part match at least one letter, as in doublestar."""
    bare = len(wanted)
    while bare and wanted[bare - 1] == ANY:
        bare -= 1
    return (*wanted[:bare], ONE, ANY) if len(wanted) - bare > 2 else wanted


def _alternatives(pattern: str) -> list[str]:
    done: list[str] = []
    todo = [pattern]
    while todo:
        text = todo.pop()
        braces = _first_braces(text)
        if braces is None:
            done.append(text)
            continue
        start, end, options = braces
        todo.extend(text[:start] + option + text[end + 1 :] for option in options)
        if len(done) + len(todo) > _MAX_ALTERNATIVES:
            raise Broken(pattern)
    return done


def _first_braces(text: str) -> tuple[int, int, list[str]] | None:
    """The first `{a,b}` of a text: where it begins and ends, and its options."""
    start = -1
    depth = 0
    cuts: list[int] = []
    for place, letter in _plain_letters(text):
        if letter == "{":
            depth += 1
            if depth == 1:
                start, cuts = place, [place]
        elif depth and letter == "}":
            depth -= 1
            if not depth:
                cuts.append(place)
                # within braces, ** crosses no slash
                options = [text[a + 1 : b].replace("**", "*") for a, b in pairwise(cuts)]
                return start, place, options
        elif depth == 1 and letter == ",":
            cuts.append(place)
    if depth:
        raise Broken(text)
    return None


def _plain_letters(text: str) -> list[tuple[int, str]]:
    """The letters outside classes and escapes, with their places."""
    result: list[tuple[int, str]] = []
    place = 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 2
            continue
        if letter == "[":
            place = _class_end(text, place)
        else:
            result.append((place, letter))
        place += 1
    return result


def _class_end(text: str, start: int) -> int:
    place = start + 1
    if text[place : place + 1] == "^":
        place += 1
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == "]":
            return place
        place += 1
    raise Broken(text)


def _split(text: str) -> list[str]:
    """Cut at slashes that stand outside classes."""
    cuts = [place for place, letter in _plain_letters(text) if letter == "/"]
    edges = [-1, *cuts, len(text)]
    return [text[a + 1 : b] for a, b in pairwise(edges)]


def tokens(part: str) -> tuple[Token, ...]:
    """One part of a pattern, ready to match letter by letter. Raises `Broken`."""
    result: list[Token] = []
    place = 0
    while place < len(part):
        letter = part[place]
        if letter == "\\":
            place += 1
            if place >= len(part):
                raise Broken(part)
            result.append(("is", part[place]))
        elif letter == "[":
            end = _class_end(part, place)
            result.append(("in", part[place + 1 : end]))
            place = end
        elif letter in {ANY, ONE}:
            result.append(letter)
        else:
            result.append(("is", letter))
        place += 1
    for token in result:
        if token[0] == "in":
            _in_class(token[1], "a")
    return tuple(result)


def _match_parts(pattern: tuple[str | tuple[Token, ...], ...], parts: list[str]) -> bool:
    """Match part by part; `**` stands for any number of parts."""
    reached = {0}
    for place, piece in enumerate(pattern):
        if piece == "**":
            last = place == len(pattern) - 1
            low = min(reached, default=len(parts) + 1)
            # a trailing `/**` needs something after its slash: `main/**` misses `main`
            low += 1 if last and place > 0 else 0
            reached = set(range(low, len(parts) + 1))
            continue
        wanted = () if isinstance(piece, str) else piece
        reached = {at + 1 for at in reached if at < len(parts) and _match_part(wanted, parts[at])}
        if not reached:
            return False
    return len(parts) in reached


def _match_part(wanted: tuple[Token, ...], text: str) -> bool:
    reached = {0}
    for token in wanted:
        if token == ANY:
            reached = set(range(min(reached), len(text) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(text) and fits(token, text[at])}
        if not reached:
            return False
    return len(text) in reached


def fits(token: Token, letter: str) -> bool:
    """Whether one letter fits one token other than `*`."""
    if token == ONE:
        return True
    kind, text = token[0], token[1]
    return text == letter if kind == "is" else _in_class(text, letter)


def _in_class(text: str, letter: str) -> bool:
    negated = text.startswith("^")
    place = 1 if negated else 0
    found = False
    if place >= len(text):
        raise Broken(text)
    while place < len(text):
        low, place = _class_letter(text, place)
        high = low
        if text[place : place + 1] == "-" and place + 1 < len(text):
            high, place = _class_letter(text, place + 1)
        found = found or low <= letter <= high
    return found != negated


def _class_letter(text: str, place: int) -> tuple[str, int]:
    if text[place] == "-":
        raise Broken(text)
    if text[place] == "\\":
        place += 1
        if place >= len(text):
            raise Broken(text)
    return text[place], place + 1
