r"""`${NAME}` put in over the raw text, before any YAML is read, by Drone's rules.

`$X` stays; `$$` becomes `$`; `\\` becomes `\` and `\/` becomes `/` anywhere; an unknown name is
empty; a value with a line break is put in as a Go-quoted text. The forms are `${X}`, `${#X}`,
`${X^}` `${X^^}` `${X,}` `${X,,}`, `${X:offset}` `${X:offset:length}`, `${X#p}` `${X##p}` `${X%p}`
`${X%%p}`, `${X/p/r}` `${X//p/r}` `${X/#p/r}` `${X/%p/r}`, and `${X=y}` `${X:=y}` `${X:-y}`
`${X:?y}` `${X:+y}`, which all five mean: y where X is empty, X otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from fairway.kit.gotext import quote
from fairway.model.errors import BadFile
from fairway.pipeline.compile import trim

_NAME: Final = re.compile(r"[^\W]+", re.UNICODE)
_ESCAPED: Final = ("$$", "\\/", "\\\\")
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
_MAX_EXPRESSIONS: Final = 100_000
_MAX_DEPTH: Final = 20
_MAX_OUTPUT: Final = 20 * 1024 * 1024

Pieces = list[str]


def substitute(
    text: str, variables: Mapping[str, str], *, name: str = "", first_line: int = 1
) -> str:
    """The text with every `${...}` put in.

    Raises `BadFile` (code `bad-substitution`) with the place of the one that cannot be read.
    """
    reader = _Reader(text, variables, name, first_line)
    result = reader.text_until_end()
    return "".join(result)


def quoted(value: str) -> str:
    """A value as it is put in: Go-quoted when it holds a line break."""
    return quote(value) if "\n" in value else value


class _Reader:
    """One pass over the text; `at` is the place of the next letter."""

    def __init__(self, text: str, variables: Mapping[str, str], name: str, first_line: int) -> None:
        self.text = text
        self.variables = variables
        self.name = name
        self.first_line = first_line
        self.at = 0
        self.size = 0
        self.count = 0

    def fail(self, why: str, at: int) -> BadFile:
        line = self.text.count("\n", 0, at) + self.first_line
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return BadFile(
            f"bad substitution: {why}",
            where=f"{self.name}:{line}:{column}",
            code="bad-substitution",
            remedy="Write `$${...}` for what the shell is to see.",
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def text_until_end(self) -> Pieces:
        pieces: Pieces = []
        while self.at < len(self.text):
            pieces.append(self.plain(stop=""))
            if self.text.startswith("${", self.at):
                pieces.append(self.expression(1))
                self.size += len(pieces[-1])
                if self.size > _MAX_OUTPUT:
                    raise self.fail("the result is larger than 20 MB", self.at)
        return pieces

    def plain(self, *, stop: str, escapes: bool = True) -> str:
        """Text up to `${` or a stop letter; with escapes taken off where the place has them."""
        pieces: Pieces = []
        pattern = _plain_pattern(stop, escapes=escapes)
        while True:
            found = pattern.search(self.text, self.at)
            end = found.start() if found else len(self.text)
            pieces.append(self.text[self.at : end])
            self.at = end
            if found is None or found[0] not in _ESCAPED:
                return "".join(pieces)
            pieces.append(found[0][1])
            self.at = found.end()

    def expression(self, depth: int) -> str:
        start = self.at
        if depth > _MAX_DEPTH:
            raise self.fail("nested too deep", start)
        self.count += 1
        if self.count > _MAX_EXPRESSIONS:
            raise self.fail(f"more than {_MAX_EXPRESSIONS} in one file", start)
        self.at += 2
        operator, word = "", ""
        if self.peek() == "#":
            self.at += 1
            operator = "len"
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise self.fail("a name is missing after ${", start)
        word = found[0]
        self.at = found.end()
        value = quoted(self.variables.get(word, ""))
        if operator == "len":
            result = str(len(value.encode()))
        else:
            result = self.operation(value, start, depth)
        if self.peek() != "}":
            raise self.fail("missing closing brace", start)
        self.at += 1
        return result

    def operation(self, value: str, start: int, depth: int) -> str:
        sign = self.peek()
        handler = _OPERATIONS.get(sign)
        if handler is None:
            return value
        return handler(self, value, start, depth)

    def argument(self, stop: str, depth: int, *, escapes: bool = False) -> str:
        """One argument: a text or one nested `${...}`."""
        if self.text.startswith("${", self.at):
            return self.expression(depth + 1)
        return self.plain(stop=stop, escapes=escapes)

    def colon(self, value: str, start: int, depth: int) -> str:
        if self.text[self.at + 1 : self.at + 2] in {"=", "-", "?", "+"}:
            self.at += 2
            return self.default(value, depth)
        return self.slice(value, start, depth)

    def equals(self, value: str, _start: int, depth: int) -> str:
        self.at += 1
        return self.default(value, depth)

    def default(self, value: str, depth: int) -> str:
        pieces: Pieces = []
        while self.at < len(self.text) and self.peek() != "}":
            pieces.append(self.argument("}", depth))
        return value or "".join(pieces)

    def slice(self, value: str, start: int, depth: int) -> str:
        self.at += 1
        offset = self.argument(":}", depth)
        length = None
        if self.peek() == ":":
            while self.peek() == ":":
                self.at += 1
            length = self.argument("}", depth)
        if not offset or length == "":
            raise self.fail("a number is missing after the colon", start)
        if length is not None and _NUMBER.match(length) and int(length) < 0:
            raise self.fail("the length of a part of a text cannot be negative", start)
        return _sliced(value, offset, length)

    def case(self, value: str, _start: int, _depth: int) -> str:
        sign = self.peek()
        self.at += 1
        second = self.peek() if self.peek() in {",", "^"} else ""
        self.at += len(second)
        if second and second != sign:  # Drone knows no such form and leaves the value
            return value
        change = str.lower if sign == "," else str.upper
        return change(value) if second else change(value[:1]) + value[1:]

    def remove(self, value: str, start: int, depth: int) -> str:
        sign = self.peek()
        self.at += 1
        longest = self.peek() == sign
        self.at += 1 if longest else 0
        if self.peek() == "}":
            raise self.fail("a pattern is missing", start)
        pattern = self.argument("}", depth)
        cut = trim.prefix if sign == "#" else trim.suffix
        return cut(value, pattern, longest=longest)

    def replace(self, value: str, start: int, depth: int) -> str:
        self.at += 1
        mode = self.peek() if self.peek() in {"/", "#", "%"} else ""
        self.at += 1 if mode else 0
        pattern = self.argument("/\n", depth, escapes=True)
        if not pattern and self.peek() == "/":
            raise self.fail("a pattern is missing", start)
        if self.peek() != "/":
            raise self.fail("the second slash of a replacement is missing", start)
        while self.peek() == "/":
            self.at += 1
        into = "" if self.peek() == "}" else self.argument("}", depth, escapes=True)
        return _replaced(value, mode, pattern, into)


_Handler = Callable[[_Reader, str, int, int], str]
_OPERATIONS: Final[dict[str, _Handler]] = {
    ":": _Reader.colon,
    "=": _Reader.equals,
    ",": _Reader.case,
    "^": _Reader.case,
    "#": _Reader.remove,
    "%": _Reader.remove,
    "/": _Reader.replace,
}


def _plain_pattern(stop: str, *, escapes: bool) -> re.Pattern[str]:
    escaped = [r"\$\$", r"\\/", r"\\\\"] if escapes else []
    stops = [f"[{re.escape(stop)}]"] if stop else []
    return re.compile("|".join([r"\$\{", *escaped, *stops]))


def _sliced(value: str, offset: str, length: str | None) -> str:
    if not _NUMBER.match(offset) or (length is not None and not _NUMBER.match(length)):
        return value
    data = value.encode()
    place = int(offset)
    if place < 0:
        place = max(0, len(data) + place)
    part = data[place:] if length is None else data[place : place + int(length)]
    return part.decode("utf-8", "replace")


def _replaced(value: str, mode: str, pattern: str, into: str) -> str:
    if mode == "#":
        return into + value.removeprefix(pattern) if value.startswith(pattern) else value
    if mode == "%":
        return value.removesuffix(pattern) + into if value.endswith(pattern) else value
    return value.replace(pattern, into, -1 if mode == "/" else 1)
